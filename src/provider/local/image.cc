#include "provider/local/image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "model/json.h"
#include "model/secret.h"
#include "net/stream.h"

namespace faas::provider {

Result<Image> resolve_image(const FunctionSpec& spec) {
  constexpr std::string_view folder_prefix = "dir:";
  const std::string_view image = spec.image;
  if (image == "host") {
    if (spec.env_process.empty()) {
      return invalid_request("envProcess is required: the image \"host\" has no command of its own");
    }
    return Image{};
  }
  if (!image.starts_with(folder_prefix)) {
    return invalid_request(
        fmt::format("image \"{}\": this provider runs \"host\" and \"dir:/path\" images; OCI images are not "
                    "supported yet",
                    image));
  }
  const std::filesystem::path folder(image.substr(folder_prefix.size()));
  if (!folder.is_absolute()) {
    return invalid_request(fmt::format("image \"{}\": the folder must be an absolute path", image));
  }
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    return invalid_request(fmt::format("image \"{}\": there is no such folder", image));
  }
  return Image{.root = folder.string()};
}

namespace {

Error unfit(const FunctionSpec& spec, std::string_view what, int number) {
  return invalid_request(
      fmt::format("image \"{}\": {}: {}", spec.image, what, std::generic_category().message(number)));
}

Result<void> make_tmp(const FunctionSpec& spec, const Image& image) {
  const auto tmp = std::filesystem::path(image.root) / "tmp";
  std::error_code error;
  if (std::filesystem::is_directory(tmp, error)) return {};
  std::filesystem::create_directory(tmp, error);
  return error ? unfit(spec, "the folder has no tmp and none can be made", error.value()) : Result<void>();
}

// Step by step and past no symbolic link: one in the image must not lead us to make folders elsewhere.
Result<void> make_secrets_folder(const FunctionSpec& spec, const Image& image) {
  constexpr int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  net::Fd at(::open(image.root.c_str(), flags));
  if (!at) return unfit(spec, "the folder cannot be opened", errno);
  std::string path;
  for (const auto& part : std::filesystem::path(kSecretsFolder).relative_path()) {
    path += "/" + part.string();
    if (::mkdirat(at.get(), part.c_str(), 0755) != 0 && errno != EEXIST) {
      return unfit(spec, "secrets need a folder " + path, errno);
    }
    at = net::Fd(::openat(at.get(), part.c_str(), flags | O_NOFOLLOW));
    if (!at) return unfit(spec, "secrets need a folder " + path, errno);
  }
  return {};
}

}  // namespace

Result<void> prepare_image(const FunctionSpec& spec, const Image& image) {
  if (image.root.empty()) return {};
  TRY(make_tmp(spec, image));
  return spec.secrets.empty() ? Result<void>() : make_secrets_folder(spec, image);
}

}  // namespace faas::provider
