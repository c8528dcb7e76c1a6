// What kind of content some bytes are, for answers where nothing else says it: the rules every browser
// shares (mimesniff.spec.whatwg.org), as far as the reference follows them.
#pragma once

#include <string_view>

namespace faas::http {

[[nodiscard]] std::string_view sniff_content_type(std::string_view bytes);

}  // namespace faas::http
