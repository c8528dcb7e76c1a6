// What kind of content a file is, by the end of its name.
#pragma once

#include <string_view>

namespace faas::http {

/// "text/css; charset=utf-8" for "a/site.CSS"; empty when the ending says nothing. The table is ours alone:
/// the same files are served alike in every image, whatever /etc/mime.types says there.
[[nodiscard]] std::string_view content_type_of(std::string_view file_name);

}  // namespace faas::http
