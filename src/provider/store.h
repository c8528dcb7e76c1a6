// The functions that were asked for, on disk: what returned without an error survives kill -9 and power loss.
//
// Threads: one, the control core. A write waits for the disk, about a quarter of a millisecond.
// Errors:  the text names the file. unavailable: the disk is full or another program holds the file locked.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/function_spec.h"

struct sqlite3;
struct sqlite3_stmt;

namespace faas::provider {

struct FunctionRecord {
  FunctionSpec spec;
  std::uint32_t replicas = 0;
  std::uint64_t revision = 0;  ///< never used twice, not even after a function was removed and made again
  std::chrono::system_clock::time_point created_at;
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
    std::vector<std::string> unreadable;
  };
  [[nodiscard]] Result<Contents> load();
  /// Errors: already_exists, client.
  [[nodiscard]] Result<FunctionRecord> insert(const FunctionSpec& spec, std::uint32_t replicas);
  /// Gives it a new revision. Errors: not_found, client.
  [[nodiscard]] Result<FunctionRecord> replace(const FunctionSpec& spec, std::uint32_t replicas);
  /// Errors: not_found, client.
  [[nodiscard]] Result<void> set_replicas(const FunctionName& name, std::uint32_t replicas);
  /// Errors: not_found, client.
  [[nodiscard]] Result<void> remove(const FunctionName& name);

 private:
  // A statement is prepared once and reset after each use.
  enum StatementName {
    kBegin,
    kCommit,
    kRollback,
    kSelect,
    kCreatedAt,
    kRevision,
    kInsert,
    kReplace,
    kReplicas,
    kRemove,
    kCount
  };

  explicit Store(std::string path) : path_(std::move(path)) {}
  Result<void> migrate();
  Result<void> prepare();
  Result<void> execute(const char* sql);
  Result<std::int64_t> number(const char* sql);
  Result<void> write(const FunctionSpec& spec, FunctionRecord& record, StatementName statement);
  Error failure(std::string_view doing) const;

  friend class Query;
  std::string path_;
  sqlite3* database_ = nullptr;
  sqlite3_stmt* statements_[kCount] = {};
};

}  // namespace faas::provider
