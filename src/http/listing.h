// What is in a folder, as a page.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/stream.h"

namespace faas::http {

/// A folder with more is not for people to read, and its list would take the memory of everybody else.
inline constexpr std::size_t kListedMax = 100'000;

/// The names in an open folder, hidden ones too, sorted by their bytes; those of folders end in '/'.
/// Errors: too_large: more than `most`; failed (machine).
[[nodiscard]] Result<std::vector<std::string>> list_folder(net::Fd folder, std::size_t most = kListedMax);

/// One line of the page: a link to the name, and its text. No name can end either.
[[nodiscard]] std::string listing_line(std::string_view name);

}  // namespace faas::http
