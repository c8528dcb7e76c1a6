// Pipes: both ends close with their owners and on exec.
#pragma once

#include <cstddef>

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

/// Lets a pipe hold that many bytes. False where that is refused: a user's pipes may take only so much
/// together
/// (/proc/sys/fs/pipe-user-pages-soft), and beyond that new ones get a page or two.
bool grow_pipe(int fd, std::size_t bytes);

}  // namespace faas::process
