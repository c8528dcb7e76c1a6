// Any text as a command: nothing of it is lost between the words, and in the log it stays on its line.
#include <algorithm>

#include "process/spawn.h"
#include "target.h"
#include "watchdog/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto command = faas::fuzz::text_of(data, size);
  const auto words = faas::process::split_command(command);
  HOLDS(words.size() == static_cast<std::size_t>(std::ranges::count(command, ' ')) + 1);
  std::string joined;
  for (const auto& word : words) {
    HOLDS(word.find(' ') == word.npos);
    if (&word != &words.front()) joined.push_back(' ');
    joined.append(word);
  }
  HOLDS(joined == command);

  const auto quoted = faas::watchdog::quoted(command);
  HOLDS(quoted.size() >= 2 && quoted.front() == '"' && quoted.back() == '"');
  bool escaped = false;
  for (const char c : std::string_view(quoted).substr(1, quoted.size() - 2)) {
    HOLDS(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    HOLDS(c != '"' || escaped);
    escaped = c == '\\' && !escaped;
  }
  HOLDS(!escaped);
  return 0;
}
