// The images this machine runs without a registry: "host", its own file system, and "dir:/path", a folder
// that becomes the root.
#pragma once

#include <string>

#include "base/result.h"
#include "model/function_spec.h"

namespace faas::provider {

struct Image {
  std::string root;  ///< "": the host's tree
};

/// What a deployment needs of its image. Looks at the disk: the folder must exist.
/// Errors: invalid, client: names `image`, or `envProcess` where a host image lacks it.
[[nodiscard]] Result<Image> resolve_image(const FunctionSpec& spec);

/// Makes what a folder image lacks: /tmp, where replicas get a private one and their socket in it, and
/// /var/openfaas/secrets, if the deployment names secrets.
/// Errors: invalid, client: names `image`.
[[nodiscard]] Result<void> prepare_image(const FunctionSpec& spec, const Image& image);

}  // namespace faas::provider
