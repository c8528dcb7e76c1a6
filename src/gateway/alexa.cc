#include "gateway/alexa.h"

#include "model/json.h"

namespace faas::gateway {
namespace {

constexpr std::string_view kAmazons = "AMAZON.";

Result<const boost::json::object*> member(const JsonFields& fields, std::string_view name) {
  TRY_ASSIGN(const auto* found, fields.object(name));
  if (found == nullptr) return invalid_request("there is no " + std::string(name));
  return found;
}

}  // namespace

Result<std::string> alexa_intent(std::string_view body) {
  TRY_ASSIGN(const auto whole, parse_json_object(body));
  const JsonFields fields(whole);
  TRY_ASSIGN(const auto* session, member(fields, "session"));
  TRY_ASSIGN(const auto id, JsonFields(*session, "session.").text("sessionId"));
  TRY_ASSIGN(const auto* application, member(JsonFields(*session, "session."), "application"));
  TRY_ASSIGN(const auto application_id,
             JsonFields(*application, "session.application.").text("applicationId"));
  TRY_ASSIGN(const auto* request, member(fields, "request"));
  TRY_ASSIGN(const auto* intent, member(JsonFields(*request, "request."), "intent"));
  TRY_ASSIGN(auto name, JsonFields(*intent, "request.intent.").text("name"));
  if (id.empty()) return invalid_request("session.sessionId is empty");
  if (application_id.empty()) return invalid_request("session.application.applicationId is empty");
  if (name.empty()) return invalid_request("request.intent.name is empty");
  return name;
}

std::string function_of_intent(std::string intent) {
  if (intent.starts_with(kAmazons)) intent[kAmazons.size() - 1] = '-';
  return intent;
}

}  // namespace faas::gateway
