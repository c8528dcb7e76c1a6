#include "provider/local/image.h"

#include <fmt/format.h>

#include <filesystem>

#include "model/json.h"

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

Result<void> prepare_image(const FunctionSpec& spec, const Image& image) {
  if (image.root.empty()) return {};
  const auto tmp = std::filesystem::path(image.root) / "tmp";
  std::error_code error;
  if (std::filesystem::is_directory(tmp, error)) return {};
  std::filesystem::create_directory(tmp, error);
  if (!error) return {};
  return invalid_request(fmt::format("image \"{}\": the folder has no tmp and none can be made: {}",
                                     spec.image, error.message()));
}

}  // namespace faas::provider
