// Conditions: whether a client wants an answer that depends on what it already has (RFC 9110 section 13), for
// contents that are known by the time of their last change alone, without entity tags.
#pragma once

#include <cstdint>

#include "http/message.h"

namespace faas::http {

enum class Verdict { proceed, not_modified, failed };

/// `modified`: seconds since 1970; 0 is no time (images are built with it). `now` only helps to read dates.
[[nodiscard]] Verdict judge_conditions(const RequestHead& request, std::int64_t modified, std::int64_t now);

/// The part of it that a list of what there is understands: If-Modified-Since.
[[nodiscard]] bool not_modified_since(const RequestHead& request, std::int64_t modified, std::int64_t now);

/// Whether Range counts: no If-Range, or one that says when the content was changed.
[[nodiscard]] bool range_counts(const RequestHead& request, std::int64_t modified, std::int64_t now);

}  // namespace faas::http
