#include "provider/external/external_provider.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "model/foreign_status.h"
#include "model/names.h"
#include "provider/external/remote_log.h"
#include "provider/external/wire.h"

namespace faas::provider {
namespace {

// Nobody who asks for a function that is not there makes us ask more often than this, or for more of the
// time.
constexpr Duration kLookPause = std::chrono::seconds(1);
// A provider that does not even list its functions in this time is not there.
constexpr Duration kLookLimitMax = std::chrono::seconds(10);
// What we changed is looked at this often until it is ready, this long, and not more of them at once.
constexpr Duration kWatchPause = std::chrono::milliseconds(500);
constexpr Duration kWatchLimit = std::chrono::minutes(2);
constexpr std::size_t kWatchedMax = 32;

// Providers of the first years know no namespaces: there is no such path, or no such method.
bool has_no_such_path(const Error& error) {
  return error.status == 404 || error.status == 405 || error.status == 501;
}

Task<> wait_for(net::Event& event) {
  co_await event.wait();
}

void fill_namespace(FunctionStatus& status, std::string_view asked) {
  auto& name_space = status.spec.name.name_space;
  if (name_space.empty()) name_space = asked.empty() ? kDefaultNamespace : asked;
}

}  // namespace

Result<std::unique_ptr<ExternalProvider>> ExternalProvider::open(ExternalOptions options,
                                                                 SnapshotListener& listener,
                                                                 net::Core& core) {
  TRY_ASSIGN(auto api, RemoteApi::open(core, options.url, options.login));
  return std::unique_ptr<ExternalProvider>(
      new ExternalProvider(std::move(options), std::move(api), listener, core));
}

ExternalProvider::ExternalProvider(ExternalOptions options, std::unique_ptr<RemoteApi> api,
                                   SnapshotListener& listener, net::Core& core)
    : options_(std::move(options)),
      api_(std::move(api)),
      listener_(listener),
      core_(core),
      catalogue_(options_.url),
      next_(std::make_shared<Look>(core)),
      asked_(core) {}

void ExternalProvider::start() {
  running_.emplace(look_for_ever());
}

Task<> ExternalProvider::shutdown(Duration) {
  running_.reset();
  co_return;
}

Duration ExternalProvider::look_limit() const {
  return options_.timeout == Duration::zero() ? kLookLimitMax : std::min(kLookLimitMax, options_.timeout);
}

std::string ExternalProvider::query(std::string_view name_space) const {
  if (!has_namespaces_ || name_space.empty()) return {};
  return "?namespace=" + std::string(name_space);
}

// ---- what is asked

Task<Result<void>> ExternalProvider::change(std::string_view method, std::string path, std::string body) {
  auto done = co_await api_->ask(
      {.method = method, .path = std::move(path), .body = std::move(body), .limit = options_.timeout});
  if (!done) co_return done.error();
  co_return Result<void>();
}

Task<Result<FunctionStatus>> ExternalProvider::ask_status(FunctionName name, Duration limit) {
  auto body =
      co_await api_->ask({.path = "/system/function/" + name.name + query(name.name_space), .limit = limit});
  if (!body) co_return body.error();
  auto status = parse_foreign_status(*body);
  if (!status) co_return unreadable(options_.url, std::move(status).error());
  co_return status;
}

Task<Result<std::vector<FunctionStatus>>> ExternalProvider::ask_list(std::string query, Duration limit) {
  auto body = co_await api_->ask(
      {.path = "/system/functions" + query, .answer_bytes_max = kStatusListBytesMax, .limit = limit});
  if (!body) co_return body.error();
  auto found = parse_foreign_statuses(*body);
  if (!found) co_return unreadable(options_.url, std::move(found).error());
  auto unusable = found->unusable == 0 ? std::string()
                                       : fmt::format("{} functions of it cannot be shown or called: {}",
                                                     found->unusable, found->why);
  if (unusable != unusable_ && !unusable.empty()) log::print("provider {}: {}", options_.url.shown, unusable);
  unusable_ = std::move(unusable);
  co_return std::move(found->statuses);
}

// Empty: the provider knows none.
Task<Result<std::vector<std::string>>> ExternalProvider::ask_namespaces(Duration limit) {
  auto body = co_await api_->ask({.path = "/system/namespaces", .limit = limit});
  if (!body && has_no_such_path(body.error())) co_return std::vector<std::string>();
  if (!body) co_return body.error();
  auto names = parse_names(*body);
  if (!names) co_return unreadable(options_.url, std::move(names).error());
  co_return names;
}

Task<Result<FunctionStatus>> ExternalProvider::status(const FunctionName& name) {
  auto status = co_await ask_status(name, options_.timeout);
  if (status) fill_namespace(*status, name.name_space);
  co_return status;
}

Task<Result<std::vector<FunctionStatus>>> ExternalProvider::list(std::string_view name_space) {
  auto statuses = co_await ask_list(query(name_space), options_.timeout);
  if (!statuses) co_return statuses.error();
  for (auto& status : *statuses) fill_namespace(status, name_space);
  std::ranges::sort(*statuses, {}, [](const FunctionStatus& status) { return status.spec.name; });
  co_return statuses;
}

Task<Result<std::vector<SecretName>>> ExternalProvider::secrets(std::string_view name_space) {
  auto body = co_await api_->ask({.path = "/system/secrets" + query(name_space), .limit = options_.timeout});
  if (!body) co_return body.error();
  auto names = parse_secret_names(*body, name_space.empty() ? kDefaultNamespace : name_space);
  if (!names) co_return unreadable(options_.url, std::move(names).error());
  co_return names;
}

Task<Result<std::vector<NamespaceSpec>>> ExternalProvider::namespaces() {
  auto names = co_await ask_namespaces(options_.timeout);
  if (!names) co_return names.error();
  if (names->empty()) names->emplace_back(kDefaultNamespace);
  std::vector<NamespaceSpec> specs;
  for (auto& name : *names) specs.push_back({.name = std::move(name), .labels = {}, .annotations = {}});
  co_return specs;
}

Task<Result<NamespaceSpec>> ExternalProvider::name_space(std::string_view name) {
  auto body =
      co_await api_->ask({.path = "/system/namespace/" + std::string(name), .limit = options_.timeout});
  if (body) {
    auto spec = parse_namespace(*body, name);
    if (!spec) co_return unreadable(options_.url, std::move(spec).error());
    co_return spec;
  }
  if (!has_no_such_path(body.error())) co_return body.error();
  auto all = co_await namespaces();
  if (!all) co_return all.error();
  for (const auto& spec : *all) {
    if (spec.name == name) co_return spec;
  }
  co_return body.error();
}

Task<Result<std::shared_ptr<LogReader>>> ExternalProvider::logs(const LogQuery& query) {
  auto path = log_path(query, has_namespaces_ ? std::string_view(query.function.name_space) : "");
  auto begun = co_await api_->open_stream({.path = std::move(path), .limit = options_.timeout});
  if (!begun) co_return begun.error();
  co_return std::make_shared<RemoteLog>(core_, std::move(*begun), options_.url);
}

Task<Result<ProviderInfo>> ExternalProvider::info() {
  auto body = co_await api_->ask({.path = "/system/info", .limit = look_limit()});
  if (!body) co_return body.error();
  auto info = parse_info(*body);
  if (!info) co_return unreadable(options_.url, std::move(info).error());
  co_return info;
}

// ---- what is changed

Task<Result<void>> ExternalProvider::put(std::string_view method, const FunctionSpec& spec) {
  auto done = co_await change(method, "/system/functions", print_function_spec(spec));
  if (!done) co_return done;
  co_await follow(spec.name);
  co_return done;
}

Task<Result<void>> ExternalProvider::deploy(const FunctionSpec& spec) {
  return put("POST", spec);
}

Task<Result<void>> ExternalProvider::update(const FunctionSpec& spec) {
  return put("PUT", spec);
}

Task<Result<void>> ExternalProvider::remove(const FunctionName& name) {
  auto done =
      co_await change("DELETE", "/system/functions" + query(name.name_space), print_delete_request(name));
  if (!done) co_return done;
  watched_.erase(name);
  touched_.insert(print_function_name(name));
  catalogue_.erase(name);
  publish();
  co_return done;
}

Task<Result<void>> ExternalProvider::scale(const FunctionName& name, std::uint32_t replicas) {
  auto done = co_await change("POST", "/system/scale-function/" + name.name + query(name.name_space),
                              print_scale_request(name, replicas));
  if (!done) co_return done;
  co_await follow(name);
  co_return done;
}

Task<Result<void>> ExternalProvider::create_secret(const SecretSpec& secret) {
  return change("POST", "/system/secrets" + query(secret.name.name_space), print_secret(secret));
}

Task<Result<void>> ExternalProvider::update_secret(const SecretSpec& secret) {
  return change("PUT", "/system/secrets" + query(secret.name.name_space), print_secret(secret));
}

Task<Result<void>> ExternalProvider::remove_secret(const SecretName& name) {
  return change("DELETE", "/system/secrets" + query(name.name_space), print_secret_name(name));
}

Task<Result<void>> ExternalProvider::create_namespace(const NamespaceSpec& spec) {
  return change("POST", "/system/namespace/" + spec.name, print_namespace(spec));
}

Task<Result<void>> ExternalProvider::update_namespace(const NamespaceSpec& spec) {
  return change("PUT", "/system/namespace/" + spec.name, print_namespace(spec));
}

Task<Result<void>> ExternalProvider::remove_namespace(std::string_view name) {
  return change("DELETE", "/system/namespace/" + std::string(name),
                print_namespace({.name = std::string(name), .labels = {}, .annotations = {}}));
}

// Takes over how a function that we changed stands, before the change is answered: whoever asked for it may
// call it at once.
Task<> ExternalProvider::follow(FunctionName name) {
  auto status = co_await ask_status(name, look_limit());
  if (status) {
    const bool settled = status->available_replicas == status->replicas;
    take(std::move(*status), name);
    publish();
    if (settled) {
      watched_.erase(name);
      co_return;
    }
  }
  if (watched_.size() < kWatchedMax) {
    watched_.insert_or_assign(name, Clock::now() + kWatchLimit);
  }
  if (!status) next_->wanted = true;
  asked_.wake();
}

void ExternalProvider::take(FunctionStatus status, const FunctionName& name) {
  if (has_namespaces_) fill_namespace(status, name.name_space);
  touched_.insert(print_function_name(name));
  catalogue_.move(api_->address());
  catalogue_.put(status);
}

// ---- looking

Task<Result<void>> ExternalProvider::refresh() {
  const auto look = next_;
  look->wanted = true;
  asked_.wake();
  co_await look->done.wait();
  co_return look->outcome;
}

Task<> ExternalProvider::look_for_ever() {
  while (true) {
    const auto began = Clock::now();
    const auto current = next_;
    next_ = std::make_shared<Look>(core_);
    current->outcome = co_await look();
    note(current->outcome);
    current->done.set();
    co_await rest(began);
  }
}

Task<Result<void>> ExternalProvider::look() {
  touched_.clear();
  auto names = co_await ask_namespaces(look_limit());
  if (!names) co_return names.error();
  has_namespaces_ = !names->empty();
  if (names->empty()) names->emplace_back();
  std::vector<FunctionStatus> all;
  for (const auto& name : *names) {
    auto some = co_await ask_list(query(name), look_limit());
    if (!some && some.error().status == 404) continue;  // deleted since
    if (!some) co_return some.error();
    for (auto& status : *some) {
      if (has_namespaces_ && status.spec.name.name_space.empty()) status.spec.name.name_space = name;
      all.push_back(std::move(status));
    }
  }
  catalogue_.move(api_->address());
  catalogue_.replace_all(all, touched_);
  publish();
  co_return Result<void>();
}

Task<> ExternalProvider::rest(TimePoint began) {
  const auto ended = Clock::now();
  const auto soonest = ended + std::max<Duration>(kLookPause, ended - began);
  const auto latest = std::max(soonest, began + options_.poll_interval);
  auto watch = ended + kWatchPause;
  while (true) {
    const auto next = next_->wanted ? soonest : latest;
    if (Clock::now() >= next) co_return;
    const auto until = watched_.empty() ? next : std::min(next, watch);
    co_await net::within(wait_for(asked_), until);
    if (watched_.empty() || Clock::now() < watch) continue;
    co_await look_at_watched();
    watch = Clock::now() + kWatchPause;
  }
}

Task<> ExternalProvider::look_at_watched() {
  std::vector<FunctionName> names;
  std::erase_if(watched_, [now = Clock::now()](const auto& entry) { return entry.second < now; });
  for (const auto& [name, until] : watched_) names.push_back(name);
  for (const auto& name : names) {
    auto status = co_await ask_status(name, look_limit());
    if (!watched_.contains(name)) continue;  // deleted meanwhile
    if (!status) {
      // What is gone is the next look's business, as is a provider that is not there.
      next_->wanted = true;
      watched_.erase(name);
      continue;
    }
    if (status->available_replicas == status->replicas) watched_.erase(name);
    take(std::move(*status), name);
  }
  publish();
}

void ExternalProvider::note(const Result<void>& outcome) {
  const auto trouble = outcome ? std::string() : outcome.error().text;
  if (trouble == trouble_) return;
  if (!trouble.empty()) {
    log::print("what functions there are is not known: {}", trouble);
  } else {
    log::print("provider {}: it answers again", options_.url.shown);
  }
  trouble_ = trouble;
}

void ExternalProvider::publish() {
  if (auto snapshot = catalogue_.take_changes()) listener_.publish(std::move(snapshot));
}

}  // namespace faas::provider
