#include "provider/external/wire.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "http/auth.h"
#include "json/strict_json.h"
#include "model/json.h"
#include "model/names.h"

namespace faas::provider {
namespace {

namespace json = boost::json;

Result<json::array> parse_array(std::string_view text) {
  TRY_ASSIGN(auto value,
             parse_strict_json("the body", text, {.bytes_max = kJsonBytesMax, .depth_max = kJsonDepthMax}));
  if (value.is_null()) return json::array();
  if (value.is_array()) return std::move(value.get_array());
  return invalid_request("the body must be an array, not " + std::string(json_kind(value)));
}

// JSON is UTF-8: what is none cannot be written as a string.
bool fits_a_string(std::string_view bytes) {
  const auto written = json::serialize(json::value(json::string(bytes)));
  boost::system::error_code error;
  const auto read = json::parse(written, error);
  return !error && read.is_string();
}

json::object name_of(const FunctionName& name, std::string_view key) {
  return {{json::string_view(key.data(), key.size()), name.name}, {"namespace", name.name_space}};
}

}  // namespace

Error unreadable(const BaseUrl& url, Error error) {
  error.code = Code::malformed;
  error.origin = Origin::platform;
  error.status = 502;
  return std::move(error).within("provider " + url.shown + ": its answer cannot be read");
}

Result<std::vector<std::string>> parse_names(std::string_view text) {
  TRY_ASSIGN(const auto array, parse_array(text));
  std::vector<std::string> names;
  for (const auto& one : array) {
    if (!one.is_string()) {
      return invalid_request("the body must be an array of strings; an element is " +
                             std::string(json_kind(one)));
    }
    std::string name(one.get_string().data(), one.get_string().size());
    if (check_name("namespace", name)) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

Result<std::vector<SecretName>> parse_secret_names(std::string_view text, std::string_view fallback) {
  TRY_ASSIGN(const auto array, parse_array(text));
  std::vector<SecretName> names;
  for (const auto& one : array) {
    if (!one.is_object()) {
      return invalid_request("the body must be an array of objects; an element is " +
                             std::string(json_kind(one)));
    }
    const JsonFields fields(one.get_object());
    SecretName name;
    TRY_ASSIGN(name.name, fields.text("name"));
    TRY_ASSIGN(name.name_space, fields.text("namespace"));
    if (name.name_space.empty()) name.name_space = fallback;
    names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

Result<ProviderInfo> parse_info(std::string_view text) {
  TRY_ASSIGN(const auto whole, parse_json_object(text));
  const auto* inner = whole.if_contains("provider");
  const auto& object = inner != nullptr && inner->is_object() ? inner->get_object() : whole;
  const JsonFields fields(object);
  ProviderInfo info;
  TRY_ASSIGN(info.provider, fields.text("provider"));
  TRY_ASSIGN(info.orchestration, fields.text("orchestration"));
  TRY_ASSIGN(const auto* version, fields.object("version"));
  if (version != nullptr) {
    const JsonFields parts(*version, "version.");
    TRY_ASSIGN(info.release, parts.text("release"));
    TRY_ASSIGN(info.sha, parts.text("sha"));
  }
  return info;
}

std::string print_delete_request(const FunctionName& name) {
  return json::serialize(name_of(name, "functionName"));
}

std::string print_scale_request(const FunctionName& name, std::uint32_t replicas) {
  auto object = name_of(name, "serviceName");
  object["replicas"] = replicas;
  return json::serialize(object);
}

std::string print_secret(const SecretSpec& secret) {
  json::object object{{"name", secret.name.name}, {"namespace", secret.name.name_space}};
  if (fits_a_string(secret.bytes)) {
    object["value"] = secret.bytes;
  } else {
    object["rawValue"] = http::base64(secret.bytes);
  }
  return json::serialize(object);
}

std::string print_secret_name(const SecretName& name) {
  return json::serialize(json::object{{"name", name.name}, {"namespace", name.name_space}});
}

}  // namespace faas::provider
