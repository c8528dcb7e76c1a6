#include "http/dates.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace faas::http {
namespace {

constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                "Thursday", "Friday", "Saturday"};
constexpr std::size_t kShortDay = 3;
constexpr std::int64_t kSecondsOfDay = 86400;

struct Parts {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

// Takes a date apart from its front. What does not fit makes it bad, and bad it stays.
class Scanner final {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  void literal(std::string_view wanted) {
    if (!rest_.starts_with(wanted)) return fail();
    rest_.remove_prefix(wanted.size());
  }
  int number(std::size_t digits) {
    if (rest_.size() < digits) return fail(), 0;
    int value = 0;
    for (const char c : rest_.substr(0, digits)) {
      if (c < '0' || c > '9') return fail(), 0;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }
  // A day of the month, padded with a space.
  int padded_number() {
    if (!rest_.starts_with(' ')) return number(2);
    rest_.remove_prefix(1);
    return number(1);
  }
  unsigned month() {
    const auto* found = std::find(kMonths.begin(), kMonths.end(), rest_.substr(0, 3));
    if (found == kMonths.end()) return fail(), 0U;
    rest_.remove_prefix(3);
    return static_cast<unsigned>(found - kMonths.begin()) + 1;
  }
  // "Sun" or, when `whole`, "Sunday".
  bool day_name(bool whole) {
    for (const auto day : kDays) {
      const auto name = whole ? day : day.substr(0, kShortDay);
      if (!rest_.starts_with(name)) continue;
      rest_.remove_prefix(name.size());
      return true;
    }
    return false;
  }
  void clock(Parts& parts) {
    parts.hour = number(2);
    literal(":");
    parts.minute = number(2);
    literal(":");
    parts.second = number(2);
  }
  [[nodiscard]] bool good() const { return good_ && rest_.empty(); }

 private:
  void fail() { good_ = false; }

  std::string_view rest_;
  bool good_ = true;
};

// Behind "Sun".
bool scan_fixed(Scanner scan, Parts& parts) {
  scan.literal(", ");
  parts.day = static_cast<unsigned>(scan.number(2));
  scan.literal(" ");
  parts.month = scan.month();
  scan.literal(" ");
  parts.year = scan.number(4);
  scan.literal(" ");
  scan.clock(parts);
  scan.literal(" GMT");
  return scan.good();
}

// Behind "Sunday": the year has two digits.
bool scan_rfc850(Scanner scan, Parts& parts) {
  scan.literal(", ");
  parts.day = static_cast<unsigned>(scan.number(2));
  scan.literal("-");
  parts.month = scan.month();
  scan.literal("-");
  parts.year = scan.number(2);
  scan.literal(" ");
  scan.clock(parts);
  scan.literal(" GMT");
  return scan.good();
}

// Behind "Sun": what C's asctime() prints.
bool scan_asctime(Scanner scan, Parts& parts) {
  scan.literal(" ");
  parts.month = scan.month();
  scan.literal(" ");
  parts.day = static_cast<unsigned>(scan.padded_number());
  scan.literal(" ");
  scan.clock(parts);
  scan.literal(" ");
  parts.year = scan.number(4);
  return scan.good();
}

std::optional<std::int64_t> seconds_of(const Parts& parts) {
  const std::chrono::year_month_day date(std::chrono::year(parts.year), std::chrono::month(parts.month),
                                         std::chrono::day(parts.day));
  // A leap second is the 61st of its minute.
  if (!date.ok() || parts.hour > 23 || parts.minute > 59 || parts.second > 60) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * kSecondsOfDay + parts.hour * 3600 + parts.minute * 60 + parts.second;
}

std::chrono::sys_days day_of(std::int64_t seconds) {
  return std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(seconds)));
}

int year_of(std::int64_t seconds) {
  return static_cast<int>(std::chrono::year_month_day(day_of(seconds)).year());
}

}  // namespace

std::string print_http_date(std::int64_t seconds) {
  const auto day = day_of(seconds);
  const std::chrono::year_month_day date(day);
  const auto of_day = seconds - std::int64_t{day.time_since_epoch().count()} * kSecondsOfDay;
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     kDays[std::chrono::weekday(day).c_encoding()].substr(0, kShortDay),
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), of_day / 3600, of_day / 60 % 60, of_day % 60);
}

std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now) {
  Parts parts;
  Scanner scan(text);
  if (scan.day_name(/*whole=*/true)) {
    if (!scan_rfc850(scan, parts)) return std::nullopt;
    const int this_year = year_of(now);
    parts.year += this_year - this_year % 100 + 100;
    while (parts.year > this_year + 50) parts.year -= 100;
    return seconds_of(parts);
  }
  if (!scan.day_name(/*whole=*/false)) return std::nullopt;
  if (!scan_fixed(scan, parts) && !scan_asctime(scan, parts)) return std::nullopt;
  return seconds_of(parts);
}

}  // namespace faas::http
