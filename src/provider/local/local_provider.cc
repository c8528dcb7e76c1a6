#include "provider/local/local_provider.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/log.h"
#include "model/json.h"
#include "model/names.h"
#include "model/scale_labels.h"
#include "provider/local/image.h"

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

  std::unique_ptr<LocalProvider> provider(
      new LocalProvider(std::move(options), std::move(data_dir), std::move(store), core));
  if (provider->options_.isolate) {
    provider->isolation_ = process::probe_isolation();
  } else {
    provider->isolation_.reason = "it is switched off";
  }
  if (!provider->isolation_.possible) {
    log::print("functions run without isolation, on the host's network: {}", provider->isolation_.reason);
  }
  TRY_ASSIGN(provider->runtime_, ProcessRuntime::open({.data_dir = provider->data_dir_.path(),
                                                       .watchdog_path = provider->options_.watchdog_path,
                                                       .path = provider->options_.path,
                                                       .isolation = provider->isolation_},
                                                      provider->changed_));
  const ReplicaId first_id = (std::uint64_t{std::random_device()()} << 8) + 1;
  provider->reconciler_ = std::make_unique<Reconciler>(*provider->runtime_, listener, provider->changed_,
                                                       first_id, provider->options_.patience);
  provider->reconciler_->load(std::move(contents.functions));
  return provider;
}

LocalProvider::LocalProvider(LocalOptions options, DataDir data_dir, std::unique_ptr<Store> store,
                             net::Core& core)
    : options_(std::move(options)),
      data_dir_(std::move(data_dir)),
      store_(std::move(store)),
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
  if (!spec.secrets.empty()) return invalid_request("secret not found: " + spec.secrets.front());
  return {};
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
  const auto count = before == nullptr ? range.min : std::clamp(before->replicas, range.min, range.max);
  CO_TRY_ASSIGN(auto record, store_->replace(spec, count));
  reconciler_->put(std::move(record));
  co_return Result<void>();
}

Task<Result<void>> LocalProvider::remove(const FunctionName& name) {
  CO_TRY(check_open());
  CO_TRY(store_->remove(name));
  reconciler_->erase(name);
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

FunctionStatus LocalProvider::status_of(const FunctionRecord& record) const {
  auto status = reconciler_->status(record);
  if (asks_for_limits(status.spec)) {
    status.conditions.push_back(
        {.type = "LimitsEnforced",
         .holds = false,
         .reason = "NotSupported",
         .message = "limits are stored, but this provider does not enforce them yet"});
  }
  if (!status.spec.labels) status.spec.labels.emplace();
  status.spec.labels->insert_or_assign(kFunctionLabel, status.spec.name.name);
  return status;
}

Task<Result<FunctionStatus>> LocalProvider::status(const FunctionName& name) {
  const auto* record = reconciler_->find(name);
  if (record == nullptr) co_return not_found(name);
  co_return status_of(*record);
}

Task<Result<std::vector<FunctionStatus>>> LocalProvider::list(std::string_view name_space) {
  std::vector<FunctionStatus> found;
  for (const auto* record : reconciler_->in_namespace(name_space.empty() ? kDefaultNamespace : name_space)) {
    found.push_back(status_of(*record));
  }
  co_return found;
}

ProviderInfo LocalProvider::info() const {
  return {.provider = "faas-local",
          .orchestration = isolation_.possible ? "processes" : "processes without isolation",
          .release = options_.release,
          .sha = options_.sha};
}

}  // namespace faas::provider
