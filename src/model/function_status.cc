#include "model/function_status.h"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serializer.hpp>
#include <ctime>

#include "model/spec_json.h"

namespace faas {
namespace {

namespace json = boost::json;

// RFC 3339. The clock's zero stands for "unknown", which Go clients write as the year 1.
std::string print_time(std::chrono::system_clock::time_point time) {
  if (time.time_since_epoch().count() == 0) return "0001-01-01T00:00:00Z";
  const auto seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec);
}

// All of one status is printed in memory that is given back at once: ten thousand are quickly printed so.
constexpr std::size_t kScratchBytes = 8 * 1024;

json::object print_condition(const Condition& condition, const json::storage_ptr& memory) {
  json::object object(memory);
  object["type"] = condition.type;
  object["status"] = condition.holds ? "True" : "False";
  object["reason"] = condition.reason;
  object["message"] = condition.message;
  return object;
}

json::object print_status(const FunctionStatus& status, const json::storage_ptr& memory) {
  json::object object(memory);
  print_spec_fields(status.spec, "name", object);
  if (status.invocation_count != 0) object["invocationCount"] = status.invocation_count;
  if (status.replicas != 0) object["replicas"] = status.replicas;
  if (status.available_replicas != 0) object["availableReplicas"] = status.available_replicas;
  object["createdAt"] = print_time(status.created_at);
  if (!status.conditions.empty()) {
    auto& conditions = object["conditions"].emplace_array();
    for (const auto& condition : status.conditions) {
      conditions.push_back(print_condition(condition, memory));
    }
  }
  return object;
}

void append_status(std::string& text, const FunctionStatus& status) {
  unsigned char scratch[kScratchBytes];
  json::monotonic_resource memory(scratch);
  const auto object = print_status(status, &memory);
  json::serializer serializer;
  serializer.reset(&object);
  char piece[1024];
  while (!serializer.done()) text.append(serializer.read(piece));
}

}  // namespace

std::string print_function_status(const FunctionStatus& status) {
  std::string text;
  append_status(text, status);
  return text;
}

std::string print_function_statuses(const std::vector<FunctionStatus>& statuses) {
  std::string text = "[";
  for (const auto& status : statuses) {
    if (text.size() > 1) text += ',';
    append_status(text, status);
  }
  return text += ']';
}

}  // namespace faas
