// The functions that were asked for, on disk: what returned without an error survives kill -9 and power loss.
//
// Threads: one, the control core. A write waits for the disk, about a quarter of a millisecond.
// Errors:  the text names the file. unavailable: the disk is full or another program holds the file locked.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/function_spec.h"
#include "model/namespaces.h"

struct sqlite3;
struct sqlite3_stmt;

namespace faas::provider {

/// A version that has been ready: what to fall back on while a later one is not.
struct GoodVersion {
  FunctionSpec spec;
  std::uint64_t revision = 0;
};

struct FunctionRecord {
  FunctionSpec spec;
  std::uint32_t replicas = 0;
  std::uint64_t revision = 0;  ///< never used twice, not even after a function was removed and made again
  std::chrono::system_clock::time_point created_at;
  bool proven = false;              ///< whether this revision has ever been ready
  std::optional<GoodVersion> good;  ///< the last one that was, while this one is not proven
};

class Store final {
 public:
  /// Opens or makes the file, checks that it is whole, and brings its tables up to date.
  static Result<std::unique_ptr<Store>> open(const std::string& path);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  /// A function that today's rules refuse stays in the file, is left out, and is named in `unreadable`.
  struct Contents {
    std::vector<FunctionRecord> functions;
    std::vector<NamespaceSpec> namespaces;  ///< ordered by name; the default one is always there
    std::vector<std::string> unreadable;
  };
  [[nodiscard]] Result<Contents> load();
  /// Errors: already_exists, client.
  [[nodiscard]] Result<FunctionRecord> insert(const FunctionSpec& spec, std::uint32_t replicas);
  /// Gives it a new revision; the one before, if proven, becomes the good one. Errors: not_found, client.
  [[nodiscard]] Result<FunctionRecord> replace(const FunctionSpec& spec, std::uint32_t replicas);
  /// Errors: not_found, client.
  [[nodiscard]] Result<void> set_replicas(const FunctionName& name, std::uint32_t replicas);
  /// Notes that a revision has been ready. One that is no longer wanted is ignored.
  [[nodiscard]] Result<void> set_proven(const FunctionName& name, std::uint64_t revision);
  /// Errors: not_found, client.
  [[nodiscard]] Result<void> remove(const FunctionName& name);

  /// Makes or replaces.
  [[nodiscard]] Result<void> put_namespace(const NamespaceSpec& spec);
  [[nodiscard]] Result<void> remove_namespace(std::string_view name);

 private:
  // A statement is prepared once and reset after each use.
  enum StatementName {
    kBegin,
    kCommit,
    kRollback,
    kSelect,
    kSelectOne,
    kRevision,
    kInsert,
    kReplace,
    kReplicas,
    kProven,
    kRemove,
    kNamespaces,
    kPutNamespace,
    kRemoveNamespace,
    kCount
  };

  explicit Store(std::string path) : path_(std::move(path)) {}
  Result<void> migrate();
  Result<void> prepare();
  Result<void> execute(const char* sql);
  Result<std::int64_t> number(const char* sql);
  Result<void> load_namespaces(Contents& contents);
  Result<void> write(const FunctionSpec& spec, FunctionRecord& record, StatementName statement);
  Error failure(std::string_view doing) const;

  friend class Query;
  std::string path_;
  sqlite3* database_ = nullptr;
  sqlite3_stmt* statements_[kCount] = {};
};

}  // namespace faas::provider
