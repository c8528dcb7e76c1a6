// Pipes: both ends close with their owners and on exec.
#pragma once

#include "base/result.h"
#include "net/stream.h"

namespace faas::process {

/// Both ends block: a child expects that of its end; ours becomes non-blocking inside its net::Stream.
struct Pipe {
  net::Fd read;
  net::Fd write;
};

/// Errors: unavailable when descriptors have run out.
[[nodiscard]] Result<Pipe> make_pipe();

}  // namespace faas::process
