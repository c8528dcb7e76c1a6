// What a new process does between clone and exec, in the memory of the one that made it.
//
// The parent's thread stands still meanwhile, its other threads do not: only system calls are made here, no
// allocation, no lock, no C++ object that would have to be destroyed. Everything needed is prepared before.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <cstddef>

#include "process/spawn.h"

// Sanitizers keep books about stacks and descriptors that a borrowed address space would spoil.
#if defined(__clang__)
#define FAAS_IN_CHILD __attribute__((disable_sanitizer_instrumentation, no_sanitize("undefined")))
#else
#define FAAS_IN_CHILD
#endif

namespace faas::process {

struct Confinement;

/// The first step that failed; written by the child, read by the parent. Texts are literals or prepared.
struct StepFailure {
  const char* step = nullptr;    ///< null: none
  const char* detail = nullptr;  ///< a path, or null
  int number = 0;
};

struct Launch {
  struct Move {
    int from;
    int to;
  };

  const char* path = nullptr;
  int program_fd = -1;
  const char* const* argv = nullptr;
  const char* const* envp = nullptr;
  std::array<Move, kDescriptorsMax> moves{};
  std::size_t move_count = 0;
  int free_fd_min = 0;       ///< above every descriptor the child is given
  bool overlapping = false;  ///< a source would be overwritten before it is moved
  const char* directory = nullptr;
  bool new_group = true;
  bool die_with_parent = false;
  rlimit descriptors{};   ///< of open files; rlim_cur 0: as it is
  int parent_pidfd = -1;  ///< our own, for a child that cannot see us any more; -1: it is not asked
  Confinement* confinement = nullptr;
  bool only_confine = false;  ///< a trial: end after the last step before exec
  StepFailure failure{};
};

/// The step that means "exec itself"; compared by address.
extern const char* const kExecStep;

/// Runs in the child. Returns only when a step failed, or after a trial: the exit code.
int enter(void* launch);

}  // namespace faas::process
