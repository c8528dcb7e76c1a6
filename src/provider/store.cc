#include "provider/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include "model/json.h"
#include "model/names.h"
#include "net/stream.h"

namespace faas::provider {
namespace {

// The schema's number in the file's user_version. A change is a further entry of kMigrations.
constexpr std::int64_t kSchema = 2;
constexpr const char* kMigrations[] = {
    "CREATE TABLE functions (name TEXT NOT NULL, namespace TEXT NOT NULL, spec TEXT NOT NULL,"
    " replicas INTEGER NOT NULL, revision INTEGER NOT NULL, created_at INTEGER NOT NULL,"
    " PRIMARY KEY (name, namespace)) WITHOUT ROWID;"
    "CREATE TABLE counters (revision INTEGER NOT NULL); INSERT INTO counters VALUES (0);",
    "ALTER TABLE functions ADD COLUMN proven INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE functions ADD COLUMN good_spec TEXT;"
    "ALTER TABLE functions ADD COLUMN good_revision INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE namespaces (name TEXT NOT NULL PRIMARY KEY, spec TEXT NOT NULL) WITHOUT ROWID;"
    "INSERT INTO namespaces SELECT DISTINCT namespace, json_object('name', namespace) FROM functions;"
    "INSERT OR IGNORE INTO namespaces VALUES ('openfaas-fn', '{\"name\":\"openfaas-fn\"}');"};

constexpr std::string_view kStoredDefault = "openfaas-fn";
static_assert(kStoredDefault == kDefaultNamespace, "migration 2 has it in its text");

// Somebody looking into the file with the sqlite3 program may hold it for a moment.
constexpr int kBusyMilliseconds = 1000;

constexpr const char* kStatements[] = {
    "BEGIN IMMEDIATE",
    "COMMIT",
    "ROLLBACK",
    "SELECT spec, replicas, revision, created_at, proven, good_spec, good_revision, name, namespace"
    " FROM functions ORDER BY name, namespace",
    "SELECT spec, replicas, revision, created_at, proven, good_spec, good_revision, name, namespace"
    " FROM functions WHERE name = ?1 AND namespace = ?2",
    "UPDATE counters SET revision = revision + 1 RETURNING revision",
    "INSERT INTO functions (name, namespace, spec, replicas, revision, created_at)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    "UPDATE functions SET good_spec = CASE WHEN proven THEN spec ELSE good_spec END,"
    " good_revision = CASE WHEN proven THEN revision ELSE good_revision END,"
    " proven = 0, spec = ?3, replicas = ?4, revision = ?5 WHERE name = ?1 AND namespace = ?2",
    "UPDATE functions SET replicas = ?3 WHERE name = ?1 AND namespace = ?2",
    "UPDATE functions SET proven = 1, good_spec = NULL, good_revision = 0"
    " WHERE name = ?1 AND namespace = ?2 AND revision = ?3",
    "DELETE FROM functions WHERE name = ?1 AND namespace = ?2",
    "SELECT spec FROM namespaces ORDER BY name",
    "INSERT OR REPLACE INTO namespaces VALUES (?1, ?2)",
    "DELETE FROM namespaces WHERE name = ?1",
};

std::int64_t to_microseconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

std::chrono::system_clock::time_point from_microseconds(std::int64_t count) {
  return std::chrono::system_clock::time_point(std::chrono::microseconds(count));
}

Error not_found(const FunctionName& name) {
  return {.code = Code::not_found,
          .origin = Origin::client,
          .text = fmt::format("function not found: {}", print_function_name(name))};
}

}  // namespace

// One use of a prepared statement.
class Query final {
 public:
  explicit Query(sqlite3_stmt* statement) : statement_(statement) {}
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  ~Query() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

  // The text must live until the query ends.
  void bind(std::string_view text) {
    sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  void bind(std::int64_t number) { sqlite3_bind_int64(statement_, ++bound_, number); }
  void bind(const FunctionName& name) {
    bind(std::string_view(name.name));
    bind(std::string_view(name.name_space));
  }
  int step() { return sqlite3_step(statement_); }
  [[nodiscard]] std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }
  [[nodiscard]] std::string_view text(int column) const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return {bytes == nullptr ? "" : bytes,
            static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

 private:
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

Result<std::unique_ptr<Store>> Store::open(const std::string& path) {
  std::unique_ptr<Store> store(new Store(path));
  // Environment variables are kept here. SQLite would make the file readable by all; what it makes beside it
  // has the file's own mode. Where this fails, SQLite says why.
  net::Fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)).close();
  constexpr int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
  if (sqlite3_open_v2(path.c_str(), &store->database_, flags, nullptr) != SQLITE_OK) {
    return store->failure("open");
  }
  sqlite3_extended_result_codes(store->database_, 1);
  sqlite3_busy_timeout(store->database_, kBusyMilliseconds);
  TRY(store->execute("PRAGMA journal_mode = WAL"));
  TRY(store->execute("PRAGMA synchronous = FULL"));
  TRY(store->migrate());
  TRY(store->prepare());
  return store;
}

Store::~Store() {
  for (auto* statement : statements_) sqlite3_finalize(statement);
  sqlite3_close(database_);
}

Error Store::failure(std::string_view doing) const {
  const int code = database_ == nullptr ? SQLITE_NOMEM : sqlite3_errcode(database_) & 0xff;
  const bool passes = code == SQLITE_FULL || code == SQLITE_BUSY || code == SQLITE_LOCKED;
  return {.code = passes ? Code::unavailable : Code::failed,
          .origin = Origin::machine,
          .text = fmt::format("{}: {}: {}", path_, doing,
                              database_ == nullptr ? "out of memory" : sqlite3_errmsg(database_))};
}

Result<void> Store::execute(const char* sql) {
  if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failure("open");
  return {};
}

Result<std::int64_t> Store::number(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_, sql, -1, &statement, nullptr) != SQLITE_OK) return failure("open");
  const bool row = sqlite3_step(statement) == SQLITE_ROW;
  const auto value = row ? sqlite3_column_int64(statement, 0) : 0;
  // Finalizing repeats the step's error, so that failure() sees it.
  if (sqlite3_finalize(statement) != SQLITE_OK || !row) return failure("open");
  return value;
}

Result<void> Store::migrate() {
  // Damage is found now, while somebody looks at the log, and not at the deploy that needs the damaged page.
  TRY_ASSIGN(const auto whole,
             number("SELECT count(*) = 1 AND max(quick_check) = 'ok' FROM pragma_quick_check(1)"));
  if (whole == 0)
    return Error{.text = fmt::format("{}: the database is damaged (PRAGMA quick_check)", path_)};
  TRY_ASSIGN(const auto version, number("PRAGMA user_version"));
  if (version > kSchema) {
    return Error{.text = fmt::format("{}: a newer version of faas wrote it (schema {}, this one knows {})",
                                     path_, version, kSchema)};
  }
  for (auto from = version; from < kSchema; ++from) {
    const auto step = fmt::format("BEGIN IMMEDIATE; {} PRAGMA user_version = {}; COMMIT",
                                  kMigrations[static_cast<std::size_t>(from)], from + 1);
    TRY(execute(step.c_str()));
  }
  return {};
}

Result<void> Store::prepare() {
  static_assert(std::size(kStatements) == kCount);
  for (int i = 0; i < kCount; ++i) {
    if (sqlite3_prepare_v3(database_, kStatements[i], -1, SQLITE_PREPARE_PERSISTENT, &statements_[i],
                           nullptr) != SQLITE_OK) {
      return failure("open");
    }
  }
  return {};
}

namespace {

// A row of kSelect or kSelectOne. A good version that cannot be read any more is none.
Result<FunctionRecord> read_record(const Query& row) {
  TRY_ASSIGN(auto spec, parse_function_spec(row.text(0)));
  FunctionRecord record{.spec = std::move(spec),
                        .replicas = static_cast<std::uint32_t>(row.number(1)),
                        .revision = static_cast<std::uint64_t>(row.number(2)),
                        .created_at = from_microseconds(row.number(3)),
                        .proven = row.number(4) != 0,
                        .good = {}};
  auto good = parse_function_spec(row.text(5));
  if (good) record.good = {.spec = std::move(*good), .revision = static_cast<std::uint64_t>(row.number(6))};
  return record;
}

}  // namespace

Result<Store::Contents> Store::load() {
  Contents contents;
  Query query(statements_[kSelect]);
  int code = 0;
  while ((code = query.step()) == SQLITE_ROW) {
    auto record = read_record(query);
    if (record) {
      contents.functions.push_back(std::move(*record));
    } else {
      contents.unreadable.push_back(
          fmt::format("{}: function {}.{}: {}", path_, query.text(7), query.text(8), record.error().text));
    }
  }
  if (code != SQLITE_DONE) return failure("read");
  TRY(load_namespaces(contents));
  return contents;
}

Result<void> Store::load_namespaces(Contents& contents) {
  Query query(statements_[kNamespaces]);
  int code = 0;
  while ((code = query.step()) == SQLITE_ROW) {
    auto spec = parse_namespace(query.text(0));
    if (spec) {
      contents.namespaces.push_back(std::move(*spec));
    } else {
      contents.unreadable.push_back(fmt::format("{}: namespace: {}", path_, spec.error().text));
    }
  }
  if (code != SQLITE_DONE) return failure("read");
  return {};
}

// In one transaction: the next revision, then the row. `statement` is kInsert or kReplace.
Result<void> Store::write(const FunctionSpec& spec, FunctionRecord& record, StatementName statement) {
  const auto json = print_function_spec(spec);
  if (json.size() > kJsonBytesMax) {
    return invalid_request(
        fmt::format("the deployment has {} bytes, the limit is {}", json.size(), kJsonBytesMax));
  }
  {
    Query revision(statements_[kRevision]);
    if (revision.step() != SQLITE_ROW) return failure("write");
    record.revision = static_cast<std::uint64_t>(revision.number(0));
    if (revision.step() != SQLITE_DONE) return failure("write");
  }
  Query row(statements_[statement]);
  row.bind(spec.name);
  row.bind(std::string_view(json));
  row.bind(std::int64_t{record.replicas});
  row.bind(static_cast<std::int64_t>(record.revision));
  if (statement == kInsert) row.bind(to_microseconds(record.created_at));
  const int code = row.step();
  if (code == SQLITE_CONSTRAINT_PRIMARYKEY) {
    return Error{.code = Code::already_exists,
                 .origin = Origin::client,
                 .text = fmt::format("function already exists: {}", print_function_name(spec.name))};
  }
  if (code != SQLITE_DONE) return failure("write");
  if (sqlite3_changes(database_) == 0) return not_found(spec.name);
  return {};
}

// Ends in ROLLBACK unless it was committed.
class Transaction final {
 public:
  Transaction(sqlite3_stmt* commit, sqlite3_stmt* rollback) : commit_(commit), rollback_(rollback) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (!done_) Query(rollback_).step();
  }
  bool commit() {
    done_ = Query(commit_).step() == SQLITE_DONE;
    return done_;
  }

 private:
  sqlite3_stmt* commit_;
  sqlite3_stmt* rollback_;
  bool done_ = false;
};

Result<FunctionRecord> Store::insert(const FunctionSpec& spec, std::uint32_t replicas) {
  const auto now = to_microseconds(std::chrono::system_clock::now());
  FunctionRecord record{.spec = spec, .replicas = replicas, .created_at = from_microseconds(now), .good = {}};
  if (Query(statements_[kBegin]).step() != SQLITE_DONE) return failure("write");
  Transaction transaction(statements_[kCommit], statements_[kRollback]);
  TRY(write(spec, record, kInsert));
  if (!transaction.commit()) return failure("write");
  return record;
}

Result<FunctionRecord> Store::replace(const FunctionSpec& spec, std::uint32_t replicas) {
  FunctionRecord record{.spec = spec, .replicas = replicas, .created_at = {}, .good = {}};
  if (Query(statements_[kBegin]).step() != SQLITE_DONE) return failure("write");
  Transaction transaction(statements_[kCommit], statements_[kRollback]);
  TRY(write(spec, record, kReplace));
  {
    Query written(statements_[kSelectOne]);
    written.bind(spec.name);
    if (written.step() != SQLITE_ROW) return failure("read");
    TRY_ASSIGN(record, read_record(written));
  }
  if (!transaction.commit()) return failure("write");
  return record;
}

Result<void> Store::set_replicas(const FunctionName& name, std::uint32_t replicas) {
  Query query(statements_[kReplicas]);
  query.bind(name);
  query.bind(std::int64_t{replicas});
  if (query.step() != SQLITE_DONE) return failure("write");
  if (sqlite3_changes(database_) == 0) return not_found(name);
  return {};
}

Result<void> Store::set_proven(const FunctionName& name, std::uint64_t revision) {
  Query query(statements_[kProven]);
  query.bind(name);
  query.bind(static_cast<std::int64_t>(revision));
  if (query.step() != SQLITE_DONE) return failure("write");
  return {};
}

Result<void> Store::put_namespace(const NamespaceSpec& spec) {
  const auto json = print_namespace(spec);
  Query query(statements_[kPutNamespace]);
  query.bind(std::string_view(spec.name));
  query.bind(std::string_view(json));
  if (query.step() != SQLITE_DONE) return failure("write");
  return {};
}

Result<void> Store::remove_namespace(std::string_view name) {
  Query query(statements_[kRemoveNamespace]);
  query.bind(name);
  if (query.step() != SQLITE_DONE) return failure("write");
  return {};
}

Result<void> Store::remove(const FunctionName& name) {
  Query query(statements_[kRemove]);
  query.bind(name);
  if (query.step() != SQLITE_DONE) return failure("write");
  if (sqlite3_changes(database_) == 0) return not_found(name);
  return {};
}

}  // namespace faas::provider
