#include "gateway/credentials.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "net/stream.h"

namespace faas::gateway {
namespace {

constexpr std::size_t kCredentialBytesMax = 4096;
constexpr std::size_t kPasswordCharacters = 32;
constexpr std::string_view kDefaultUser = "admin";

std::string trimmed(std::string text) {
  constexpr auto blanks = " \t\r\n";
  text.erase(text.find_last_not_of(blanks) + 1);
  text.erase(0, text.find_first_not_of(blanks));
  return text;
}

// nullopt where there is no such file.
Result<std::optional<std::string>> read_file(const std::string& path) {
  const net::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return std::optional<std::string>();
    return system_error("read " + path, errno);
  }
  std::array<char, kCredentialBytesMax> buffer{};
  const auto n = ::read(fd.get(), buffer.data(), buffer.size());
  if (n < 0) return system_error("read " + path, errno);
  auto text = trimmed(std::string(buffer.data(), static_cast<std::size_t>(n)));
  if (text.empty()) return Error{.text = path + " is empty"};
  return std::optional<std::string>(std::move(text));
}

std::string random_password() {
  constexpr std::string_view alphabet = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789_-.~+=@%";
  static_assert(alphabet.size() == 64, "each random byte chooses without a bias");
  std::array<unsigned char, kPasswordCharacters> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  std::string password;
  for (const auto byte : bytes) password.push_back(alphabet[byte % alphabet.size()]);
  return password;
}

Result<void> write_private(const std::string& path, const std::string& text) {
  const net::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  const auto line = text + "\n";
  if (!fd || ::write(fd.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    return system_error("write " + path, errno);
  }
  if (::fsync(fd.get()) != 0) return system_error("write " + path, errno);
  return {};
}

}  // namespace

Result<Credentials> load_credentials(const std::string& secrets, const std::string& data_dir) {
  const auto& folder = secrets.empty() ? data_dir : secrets;
  Credentials credentials{.user = std::string(kDefaultUser),
                          .password = {},
                          .user_file = folder + "/basic-auth-user",
                          .password_file = folder + "/basic-auth-password"};
  TRY_ASSIGN(auto user, read_file(credentials.user_file));
  if (user) credentials.user = *user;
  TRY_ASSIGN(auto password, read_file(credentials.password_file));
  if (!password && !secrets.empty()) {
    return Error{.text = "read " + credentials.password_file + ": there is no such file"};
  }
  if (!password) {
    password = random_password();
    TRY(write_private(credentials.password_file, *password));
  }
  credentials.password = *password;
  return credentials;
}

Result<Credentials> read_credentials(const Credentials& files) {
  auto credentials = files;
  TRY_ASSIGN(auto user, read_file(files.user_file));
  TRY_ASSIGN(auto password, read_file(files.password_file));
  if (!password) return Error{.text = "read " + files.password_file + ": there is no such file"};
  credentials.user = user.value_or(std::string(kDefaultUser));
  credentials.password = std::move(*password);
  return credentials;
}

}  // namespace faas::gateway
