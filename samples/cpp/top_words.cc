// A function in C++: reads a text from its input and prints the words that occur most, with their counts.
#include <algorithm>
#include <cctype>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t kWordsShown = 5;

std::map<std::string, int> count_words(std::istream& text) {
  std::map<std::string, int> counts;
  std::string word;
  while (text >> word) {
    std::erase_if(word, [](unsigned char letter) { return std::ispunct(letter) != 0; });
    std::transform(word.begin(), word.end(), word.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    if (!word.empty()) ++counts[word];
  }
  return counts;
}

}  // namespace

int main() {
  const auto counts = count_words(std::cin);
  std::vector<std::pair<std::string, int>> words(counts.begin(), counts.end());
  std::stable_sort(words.begin(), words.end(),
                   [](const auto& left, const auto& right) { return left.second > right.second; });
  words.resize(std::min(words.size(), kWordsShown));
  for (const auto& [word, count] : words) std::cout << count << ' ' << word << '\n';
}
