#include "watchdog/jwt_auth.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <chrono>
#include <fstream>
#include <iterator>

#include "base/log.h"
#include "http/fetch.h"
#include "json/strict_json.h"
#include "jwt/guard.h"
#include "jwt/refresh_rule.h"
#include "net/event.h"

namespace faas::watchdog {
namespace {

constexpr std::string_view kClusterAuthority = "http://gateway.openfaas:8080";
constexpr std::string_view kLocalAuthority = "http://127.0.0.1:8000";
constexpr std::string_view kConfigurationPath = "/.well-known/openid-configuration";
constexpr std::string_view kNamespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
constexpr std::string_view kUserAgent = "openfaas-watchdog";

// OpenFaaS puts one more word before the same line.
Error failure(const Settings& settings, std::string_view why) {
  const auto* opening = settings.program == Program::classic ? "Error" : "Error: error";
  return {Code::invalid, Origin::function, fmt::format("{} creating JWTAuthMiddleware: {}", opening, why)};
}

jwt::UnixSeconds unix_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The namespace as Kubernetes writes it into every pod; empty when there is none.
std::string read_namespace_file() {
  std::ifstream file{std::string(kNamespaceFile)};
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

Result<std::string> text_member(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || !value->is_string() || value->get_string().empty()) {
    return Error{Code::invalid, Origin::platform,
                 fmt::format("the OpenID configuration has no text {}", name)};
  }
  return std::string(value->get_string().data(), value->get_string().size());
}

Task<> wait_for(net::Event& event) {
  co_await event.wait();
}

class JwtAuth final : public Authentication {
 public:
  JwtAuth(net::Core& core, const Settings& settings, std::string authority, std::string function)
      : core_(core),
        settings_(settings),
        configuration_url_(authority.append(kConfigurationPath)),
        guard_(std::move(function)),
        wanted_(core),
        fetched_(core) {}

  Task<Result<void>> prepare() override;
  Task<std::optional<Refusal>> check(const http::RequestHead& request) override;

 private:
  Task<Result<void>> fetch_keys();
  Task<> keep_fresh();
  [[nodiscard]] bool may_ask_anew();
  void tell_keys(std::string_view keys_url) const;

  net::Core& core_;
  const Settings& settings_;
  std::string configuration_url_;
  jwt::Guard guard_;
  net::Event wanted_;   // somebody waits for newer keys
  net::Event fetched_;  // woken, never set, when a fetch is over, whatever came of it
  bool fetching_ = false;
  jwt::UnknownKeyLimit unknown_keys_;
  std::optional<net::Running<void>> refresher_;  // last: it ends before what it uses
};

Task<Result<void>> JwtAuth::fetch_keys() {
  const http::FetchLimits limits{.body_bytes_max = jwt::KeySet::kBytesMax};
  auto text = co_await http::fetch(core_, configuration_url_, kUserAgent, limits);
  if (!text) co_return text.error();
  const auto document =
      parse_strict_json("the OpenID configuration", *text,
                        {.bytes_max = jwt::KeySet::kBytesMax, .depth_max = jwt::KeySet::kDepthMax});
  if (!document) co_return document.error();
  const auto* configuration = document->if_object();
  if (configuration == nullptr) {
    co_return Error{Code::invalid, Origin::platform, "the OpenID configuration is not a JSON object"};
  }
  CO_TRY_ASSIGN(auto issuer, text_member(*configuration, "issuer"));
  CO_TRY_ASSIGN(const auto keys_url, text_member(*configuration, "jwks_uri"));
  text = co_await http::fetch(core_, keys_url, kUserAgent, limits);
  if (!text) co_return text.error().within("jwks_uri");
  auto keys = jwt::KeySet::parse(*text);
  if (!keys) co_return std::move(keys).error().within(keys_url);
  const bool news = issuer != guard_.issuer() || !keys->same_as(guard_.keys());
  guard_.trust(std::move(issuer), std::move(*keys));
  if (news && settings_.jwt_auth_debug) tell_keys(keys_url);
  co_return Result<void>();
}

void JwtAuth::tell_keys(std::string_view keys_url) const {
  log::print("JWT Auth: issuer: {}", guard_.issuer());
  log::print("JWT Auth: keys from: {}", keys_url);
  for (const auto& key : guard_.keys().keys()) log::print("JWT Auth: key: {}", key.id);
  for (const auto& line : guard_.keys().passed_over()) log::print("JWT Auth: passed over: {}", line);
}

Task<Result<void>> JwtAuth::prepare() {
  const auto limit = settings_.jwt_auth_start_timeout;
  const auto end = limit > Duration::zero() ? deadline_after(Clock::now(), limit) : Clock::now();
  auto pause = Duration::zero();
  while (true) {
    auto done = co_await fetch_keys();
    if (done) break;
    const auto next = jwt::pause_at_start(pause, Clock::now(), end);
    if (!next) co_return failure(settings_, done.error().text);
    pause = *next;
    log::print("JWT Auth: no keys yet: {}; trying again in {}", done.error().text, print_duration(pause));
    co_await net::sleep_for(pause);
  }
  refresher_.emplace(keep_fresh());
  co_return Result<void>();
}

Task<> JwtAuth::keep_fresh() {
  bool failed = false;
  while (true) {
    const auto pause = jwt::pause_until_refresh(settings_.jwt_auth_refresh_interval, failed);
    (void)co_await net::within(wait_for(wanted_), deadline_after(Clock::now(), pause));
    wanted_.reset();
    fetching_ = true;
    const auto done = co_await fetch_keys();
    fetching_ = false;
    failed = !done;
    if (failed) log::print("JWT Auth: the keys stay as they are: {}", done.error().text);
    fetched_.wake();
  }
}

bool JwtAuth::may_ask_anew() {
  if (fetching_) return true;
  if (!unknown_keys_.allow(Clock::now())) return false;
  fetching_ = true;  // who comes now waits for the same fetch
  wanted_.set();
  return true;
}

Task<std::optional<Authentication::Refusal>> JwtAuth::check(const http::RequestHead& request) {
  const auto authorization = request.value(http::FieldId::authorization);
  const auto count = std::count_if(request.fields.begin(), request.fields.end(), [](const auto& field) {
    return field.id == http::FieldId::authorization;
  });
  // Somebody before us may have looked at the other one.
  if (count > 1) co_return Refusal{401, "failed to parse JWT token: Authorization occurs more than once"};
  if (authorization.empty()) co_return Refusal{401, "Bearer must be present in Authorization header"};
  const auto token = jwt::bearer_token(authorization);
  auto judgement = guard_.judge(token, unix_now());
  if (judgement.kind == jwt::Judgement::Kind::unknown_key && may_ask_anew()) {
    co_await fetched_.wait();
    judgement = guard_.judge(token, unix_now());
  }
  if (judgement.kind == jwt::Judgement::Kind::admitted) co_return std::nullopt;
  if (judgement.kind == jwt::Judgement::Kind::forbidden) co_return Refusal{403, std::move(judgement.text)};
  co_return Refusal{401, "failed to parse JWT token: " + judgement.text};
}

}  // namespace

Result<std::unique_ptr<Authentication>> make_jwt_auth(net::Core& core, const Settings& settings) {
  auto authority = settings.jwt_auth_authority;
  if (authority.empty()) authority = settings.jwt_auth_local ? kLocalAuthority : kClusterAuthority;
  while (authority.ends_with('/')) authority.pop_back();
  const auto url = http::parse_plain_url(authority);
  if (!url) return failure(settings, "jwt_auth_authority: " + url.error().text);
  if (settings.function_name.empty()) return failure(settings, "OPENFAAS_NAME is not set");
  const auto name_space =
      settings.has_function_namespace ? settings.function_namespace : read_namespace_file();
  if (name_space.empty() && !settings.has_function_namespace) {
    return failure(settings,
                   fmt::format("OPENFAAS_NAMESPACE is not set, and there is no {}", kNamespaceFile));
  }
  return std::make_unique<JwtAuth>(core, settings, std::move(authority),
                                   name_space + ":" + settings.function_name);
}

}  // namespace faas::watchdog
