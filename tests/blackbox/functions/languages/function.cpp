// The same in C++ (see function.c), for what is started once a call.
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>

int main(int argc, char** argv) {
  const std::string shape = argc > 1 ? argv[1] : "cat";
  if (shape == "ignore") {
    std::cout << "not read\n";
  } else if (shape == "env") {
    const char* value = argc > 2 ? std::getenv(argv[2]) : nullptr;
    std::cout << (value != nullptr ? value : "(none)") << '\n';
  } else if (shape == "lines") {
    std::string line;
    for (int n = 1; std::getline(std::cin, line); ++n) std::cout << n << ' ' << line << '\n' << std::flush;
  } else {
    std::string all{std::istreambuf_iterator<char>(std::cin), {}};
    if (shape == "greet") {
      const auto begin = all.find(":\"") + 2;
      all = R"({"hello":")" + all.substr(begin, all.find('"', begin) - begin) + "\"}";
    }
    for (auto& c : all) {
      if (shape == "upper") c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      if (shape == "invert") c = static_cast<char>(c ^ 0xff);
    }
    std::cout << all;
  }
}
