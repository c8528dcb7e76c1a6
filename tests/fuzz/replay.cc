// Gives every target the files of its corpus: what a fuzzer once found stays found, in every build.
//
// replay CORPUS [TARGET]. Ends with 1 when a target has no corpus or a corpus no target; a property that does
// not hold ends it where it is, and the file's name is printed.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#include <sanitizer/common_interface_defs.h>
#define FAAS_SANITIZED
#endif
#endif

// Each target's file is compiled with LLVMFuzzerTestOneInput renamed to target_NAME.
#define TARGET(name) extern "C" int target_##name(const std::uint8_t* data, std::size_t size);
#include "targets.inc"
#undef TARGET

namespace {

struct Target {
  std::string_view name;
  int (*run)(const std::uint8_t* data, std::size_t size);
};
constexpr Target kTargets[] = {
#define TARGET(name) {#name, target_##name},
#include "targets.inc"
#undef TARGET
};

char now_at[1024];  // the file under way: the handlers below may not allocate

void name_file() {
  if (now_at[0] == '\0') return;
  constexpr std::string_view before = "replay: it was ";
  (void)!::write(STDERR_FILENO, before.data(), before.size());
  (void)!::write(STDERR_FILENO, now_at, std::char_traits<char>::length(now_at));
  (void)!::write(STDERR_FILENO, "\n", 1);
}

void on_signal(int signal) {
  name_file();
  (void)std::signal(signal, SIG_DFL);
  (void)::raise(signal);
}

void name_file_at_death() {
#ifdef FAAS_SANITIZED
  __sanitizer_set_death_callback(name_file);
#endif
  for (const int signal : {SIGABRT, SIGFPE, SIGILL}) (void)std::signal(signal, on_signal);
#ifndef FAAS_SANITIZED
  (void)std::signal(SIGSEGV, on_signal);
#endif
}

std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

void run_file(const Target& target, const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  // Exactly as large as the input, so that a sanitizer sees a step beyond it.
  const auto exact = std::make_unique<std::uint8_t[]>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), exact.get());
  const auto name = file.string();
  now_at[name.copy(now_at, sizeof now_at - 1)] = '\0';
  (void)target.run(exact.get(), bytes.size());
  now_at[0] = '\0';
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2 || count > 3) {
    std::fputs("usage: replay CORPUS [TARGET]\n", stderr);
    return 2;
  }
  const std::filesystem::path corpus = arguments[1];
  const std::string_view only = count > 2 ? arguments[2] : "";
  name_file_at_death();
  int wrong = 0;
  for (const auto& target : kTargets) {
    if (!only.empty() && target.name != only) continue;
    const auto files = files_of(corpus / target.name);
    for (const auto& file : files) run_file(target, file);
    std::printf("%-16s %4zu files\n", std::string(target.name).c_str(), files.size());
    if (!files.empty()) continue;
    std::fprintf(stderr, "replay: %s has no corpus\n", std::string(target.name).c_str());
    wrong = 1;
  }
  for (const auto& folder : files_of(corpus)) {
    const auto name = folder.filename().string();
    const bool known = std::any_of(std::begin(kTargets), std::end(kTargets),
                                   [&name](const Target& target) { return target.name == name; });
    if (known) continue;
    std::fprintf(stderr, "replay: nothing reads the corpus %s\n", name.c_str());
    wrong = 1;
  }
  return wrong;
}
