#include "gateway/admin_login.h"

#include <ctime>
#include <utility>

#include "base/log.h"

namespace faas::gateway {
namespace {

// The kernel's file times are no finer than its tick: a file that changed this recently may change again
// without a new time.
constexpr std::time_t kSettledSeconds = 2;
constexpr Duration kGlance = std::chrono::seconds(1);

}  // namespace

AdminLogin::AdminLogin(Credentials credentials)
    : credentials_(std::move(credentials)), login_(credentials_.user, credentials_.password) {}

bool AdminLogin::Stamp::operator==(const Stamp& other) const {
  return there == other.there && device == other.device && inode == other.inode && size == other.size &&
         changed.tv_sec == other.changed.tv_sec && changed.tv_nsec == other.changed.tv_nsec;
}

AdminLogin::Stamp AdminLogin::stamp_of(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return {};
  return {true, found.st_dev, found.st_ino, found.st_size, found.st_ctim};
}

bool AdminLogin::is_current(const Stamp& user, const Stamp& password) const {
  if (!user_ || !password_ || *user_ != user || *password_ != password) return false;
  const auto settled = std::time(nullptr) - kSettledSeconds;
  return user.changed.tv_sec < settled && password.changed.tv_sec < settled;
}

void AdminLogin::look() {
  const auto user = stamp_of(credentials_.user_file);
  const auto password = stamp_of(credentials_.password_file);
  if (is_current(user, password)) return;
  const bool changed = !user_ || !password_ || *user_ != user || *password_ != password;
  user_ = user;
  password_ = password;
  auto read = read_credentials(credentials_);
  if (!read) {
    if (changed) log::print("basic auth: {}; the login stays as it was", read.error().text);
    return;
  }
  if (read->user == credentials_.user && read->password == credentials_.password) return;
  credentials_ = std::move(*read);
  login_ = http::BasicLogin(credentials_.user, credentials_.password);
  log::print("basic auth: the login has changed, as {} says", credentials_.password_file);
}

bool AdminLogin::accepts(std::string_view authorization) {
  look();
  return login_.accepts(authorization);
}

bool AdminLogin::is_in(std::string_view authorization, TimePoint now) {
  if (looked_at_ == TimePoint::min() || now - looked_at_ >= kGlance) {
    looked_at_ = now;
    look();
  }
  return login_.accepts(authorization);
}

}  // namespace faas::gateway
