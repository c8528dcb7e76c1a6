#include "provider/local/local_provider.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

#include "base/log.h"
#include "model/json.h"
#include "model/names.h"
#include "model/scale_labels.h"
#include "provider/local/environment.h"
#include "provider/local/image.h"
#include "provider/local/ring_reader.h"

namespace faas::provider {
namespace {

// Clients of OpenFaaS select functions by this label, and its conformance tests ask for it.
constexpr const char* kFunctionLabel = "faas_function";

Error not_found(const FunctionName& name) {
  return {.code = Code::not_found,
          .origin = Origin::client,
          .text = fmt::format("function not found: {}", print_function_name(name))};
}

// Limits are kept and shown, but nothing here holds a process to them yet: that must not be a surprise.
bool asks_for_limits(const FunctionSpec& spec) {
  return spec.limits && (!spec.limits->memory.empty() || !spec.limits->cpu.empty());
}

}  // namespace

Result<std::unique_ptr<LocalProvider>> LocalProvider::open(LocalOptions options, SnapshotListener& listener,
                                                           net::Core& core) {
  TRY_ASSIGN(auto data_dir, DataDir::open(options.data_dir));
  TRY_ASSIGN(auto store, Store::open(data_dir.path() + "/functions.db"));
  TRY_ASSIGN(auto contents, store->load());
  for (const auto& line : contents.unreadable) log::line(line + "; deploy it again or remove it");

  TRY_ASSIGN(auto secrets, SecretStore::open(data_dir.path() + "/secrets"));
  TRY_ASSIGN(auto logs, LogStore::open(core, data_dir.path() + "/logs", options.log_bytes_max));
  std::unique_ptr<LocalProvider> provider(new LocalProvider(
      std::move(options), std::move(data_dir), std::move(store), std::move(secrets), std::move(logs), core));
  TRY(provider->start_runtime(listener, std::move(contents)));
  return provider;
}

Result<void> LocalProvider::start_runtime(SnapshotListener& listener, Store::Contents contents) {
  for (auto& spec : contents.namespaces) {
    auto name = spec.name;
    namespaces_.emplace(std::move(name), std::move(spec));
  }
  if (options_.isolate) {
    isolation_ = process::probe_isolation();
  } else {
    isolation_.reason = "it is switched off";
  }
  if (!isolation_.possible) {
    log::print("functions run without isolation, on the host's network: {}", isolation_.reason);
  }
  TRY_ASSIGN(runtime_, ProcessRuntime::open({.data_dir = data_dir_.path(),
                                             .watchdog_path = options_.watchdog_path,
                                             .path = options_.path,
                                             .isolation = isolation_,
                                             .descriptors_max = options_.descriptors_max,
                                             .secrets = &secrets_,
                                             .logs = &logs_},
                                            changed_));
  const ReplicaId first_id = (std::uint64_t{std::random_device()()} << 8) + 1;
  reconciler_ = std::make_unique<Reconciler>(*runtime_, listener, changed_, first_id, options_.patience);
  // Unwritten, it would only be shown again that it gets ready.
  reconciler_->on_proven([store = store_.get()](const FunctionName& name, Revision revision) {
    const auto written = store->set_proven(name, revision);
    if (!written) log::line(written.error().text);
  });
  std::set<std::string, std::less<>> functions;
  for (const auto& record : contents.functions) functions.insert(print_function_name(record.spec.name));
  logs_.keep_only([&functions](const std::string& name) { return functions.contains(name); });
  reconciler_->load(std::move(contents.functions));
  return {};
}

LocalProvider::LocalProvider(LocalOptions options, DataDir data_dir, std::unique_ptr<Store> store,
                             SecretStore secrets, LogStore logs, net::Core& core)
    : options_(std::move(options)),
      data_dir_(std::move(data_dir)),
      store_(std::move(store)),
      secrets_(std::move(secrets)),
      logs_(std::move(logs)),
      changed_(core) {}

void LocalProvider::start() {
  reconciler_->start();
}

Task<> LocalProvider::shutdown(Duration limit) {
  closing_ = true;
  co_await reconciler_->shutdown(limit);
  runtime_->close();
}

Result<void> LocalProvider::check_open() const {
  if (!closing_) return {};
  return Error{.code = Code::unavailable, .origin = Origin::platform, .text = "the gateway is shutting down"};
}

Result<void> LocalProvider::check(const FunctionSpec& spec) const {
  TRY(check_open());
  TRY_ASSIGN(const auto image, resolve_image(spec));
  if (!image.root.empty() && !isolation_.possible) {
    return Error{.code = Code::unavailable,
                 .origin = Origin::machine,
                 .text = fmt::format("image \"{}\": a folder as root needs isolation: {}", spec.image,
                                     isolation_.reason)};
  }
  TRY(check_namespace(spec.name.name_space, Code::invalid));
  for (const auto& secret : spec.secrets) {
    if (secrets_.contains({.name = secret, .name_space = spec.name.name_space})) continue;
    return invalid_request(
        fmt::format("secrets: secret not found: {} in namespace {}", secret, spec.name.name_space));
  }
  return {};
}

Result<void> LocalProvider::check_namespace(std::string_view name, Code code) const {
  if (namespaces_.contains(name)) return {};
  return Error{.code = code,
               .origin = Origin::client,
               .text = fmt::format("namespace not found: {}", name.substr(0, kNameBytesMax))};
}

Task<Result<void>> LocalProvider::deploy(const FunctionSpec& spec) {
  CO_TRY(check(spec));
  CO_TRY_ASSIGN(const auto range, parse_scale_range(spec));
  CO_TRY_ASSIGN(auto record, store_->insert(spec, range.min));
  reconciler_->put(std::move(record));
  co_return Result<void>();
}

Task<Result<void>> LocalProvider::update(const FunctionSpec& spec) {
  CO_TRY(check(spec));
  CO_TRY_ASSIGN(const auto range, parse_scale_range(spec));
  const auto* before = reconciler_->find(spec.name);
  const auto count = before == nullptr       ? range.min
                     : before->replicas == 0 ? 0  // somebody put it to sleep
                                             : std::clamp(before->replicas, range.min, range.max);
  CO_TRY_ASSIGN(auto record, store_->replace(spec, count));
  reconciler_->put(std::move(record));
  co_return Result<void>();
}

Task<Result<void>> LocalProvider::remove(const FunctionName& name) {
  CO_TRY(check_open());
  CO_TRY(store_->remove(name));
  reconciler_->erase(name);
  logs_.remove(name);
  co_return Result<void>();
}

Task<Result<void>> LocalProvider::scale(const FunctionName& name, std::uint32_t replicas) {
  CO_TRY(check_open());
  const auto* record = reconciler_->find(name);
  if (record == nullptr) co_return not_found(name);
  CO_TRY_ASSIGN(const auto range, parse_scale_range(record->spec));
  const auto count = std::min(replicas, range.max);
  if (count == record->replicas) co_return Result<void>();
  CO_TRY(store_->set_replicas(name, count));
  reconciler_->set_replicas(name, count);
  co_return Result<void>();
}

// What only the provider as a whole knows.
void LocalProvider::complete(FunctionStatus& status) const {
  if (asks_for_limits(status.spec)) {
    status.conditions.push_back(
        {.type = "LimitsEnforced",
         .holds = false,
         .reason = "NotSupported",
         .message = "limits are stored, but this provider does not enforce them yet"});
  }
  if (!isolation_.possible && !status.spec.secrets.empty()) {
    status.conditions.push_back(
        {.type = "SecretsMounted",
         .holds = false,
         .reason = "NotIsolated",
         .message = fmt::format("without isolation the secrets are not in {} but in the folder that the "
                                "environment variable {} names",
                                kSecretsFolder, kSecretsVariable)});
  }
  if (!status.spec.labels) status.spec.labels.emplace();
  status.spec.labels->insert_or_assign(kFunctionLabel, status.spec.name.name);
}

Task<Result<FunctionStatus>> LocalProvider::status(const FunctionName& name) {
  const auto* record = reconciler_->find(name);
  if (record == nullptr) co_return not_found(name);
  auto status = reconciler_->status(*record);
  complete(status);
  co_return status;
}

Task<Result<std::vector<FunctionStatus>>> LocalProvider::list(std::string_view name_space) {
  if (name_space.empty()) name_space = kDefaultNamespace;
  CO_TRY(check_namespace(name_space, Code::not_found));
  auto found = reconciler_->statuses(name_space);
  for (auto& status : found) complete(status);
  co_return found;
}

Task<Result<void>> LocalProvider::create_secret(const SecretSpec& secret) {
  CO_TRY(check_open());
  CO_TRY(check_namespace(secret.name.name_space, Code::invalid));
  co_return secrets_.create(secret);
}

Task<Result<void>> LocalProvider::update_secret(const SecretSpec& secret) {
  CO_TRY(check_open());
  CO_TRY(check_namespace(secret.name.name_space, Code::not_found));
  CO_TRY(secrets_.replace(secret));
  co_return runtime_->refresh(secret);
}

Task<Result<void>> LocalProvider::remove_secret(const SecretName& name) {
  CO_TRY(check_open());
  CO_TRY(check_namespace(name.name_space, Code::not_found));
  co_return secrets_.remove(name);
}

Task<Result<std::vector<SecretName>>> LocalProvider::secrets(std::string_view name_space) {
  if (name_space.empty()) name_space = kDefaultNamespace;
  CO_TRY(check_namespace(name_space, Code::not_found));
  co_return secrets_.list(name_space);
}

Task<Result<void>> LocalProvider::create_namespace(const NamespaceSpec& spec) {
  CO_TRY(check_open());
  if (namespaces_.contains(spec.name)) {
    co_return Error{.code = Code::already_exists,
                    .origin = Origin::client,
                    .text = fmt::format("namespace already exists: {}", spec.name)};
  }
  CO_TRY(store_->put_namespace(spec));
  namespaces_.emplace(spec.name, spec);
  co_return Result<void>();
}

Task<Result<void>> LocalProvider::update_namespace(const NamespaceSpec& spec) {
  CO_TRY(check_open());
  CO_TRY(check_namespace(spec.name, Code::not_found));
  CO_TRY(store_->put_namespace(spec));
  namespaces_.insert_or_assign(spec.name, spec);
  co_return Result<void>();
}

Task<Result<void>> LocalProvider::remove_namespace(std::string_view name) {
  CO_TRY(check_open());
  CO_TRY(check_namespace(name, Code::not_found));
  if (name == kDefaultNamespace) {
    co_return invalid_request(fmt::format("namespace {} is the default one and cannot be deleted", name));
  }
  CO_TRY_ASSIGN(const auto secrets, secrets_.list(name));
  const auto functions = reconciler_->in_namespace(name).size();
  if (functions + secrets.size() > 0) {
    co_return Error{
        .code = Code::already_exists,
        .origin = Origin::client,
        .text = fmt::format("namespace {} is not empty: delete its {} functions and {} secrets first", name,
                            functions, secrets.size())};
  }
  CO_TRY(store_->remove_namespace(name));
  namespaces_.erase(namespaces_.find(name));
  co_return Result<void>();
}

Task<Result<std::vector<NamespaceSpec>>> LocalProvider::namespaces() {
  std::vector<NamespaceSpec> found;
  for (const auto& [name, spec] : namespaces_) found.push_back(spec);
  co_return found;
}

Task<Result<std::shared_ptr<LogReader>>> LocalProvider::logs(const LogQuery& query) {
  if (reconciler_->find(query.function) == nullptr) co_return not_found(query.function);
  std::shared_ptr<LogReader> reader = std::make_shared<RingReader>(logs_.of(query.function), query);
  co_return reader;
}

Task<Result<NamespaceSpec>> LocalProvider::name_space(std::string_view name) {
  CO_TRY(check_namespace(name, Code::not_found));
  co_return namespaces_.find(name)->second;
}

Task<Result<void>> LocalProvider::refresh() {
  co_return Result<void>();
}

Task<Result<ProviderInfo>> LocalProvider::info() {
  co_return ProviderInfo{.provider = "faas-local",
                         .orchestration = isolation_.possible ? "processes" : "processes without isolation",
                         .release = options_.release,
                         .sha = options_.sha};
}

}  // namespace faas::provider
