// Amounts of memory and CPU as people write them for Kubernetes and Docker.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace faas {

/// "134217728", "128Mi", "1.5G", "1e9", and Docker's "128m", "128mb", "128MiB". Alone, k m g t are Docker's
/// (powers of 1024, so m is never milli); K M G T P E are Kubernetes's (powers of 1000); with an i or b
/// behind they mean what they say. nullopt when it is none of these, is negative, or exceeds 2^63 bytes.
[[nodiscard]] std::optional<std::uint64_t> parse_memory_bytes(std::string_view text);

/// CPUs in thousandths: "0.5", "500m", "2", "250000u", "500000000n". A plain integer of 1,000,000 or more is
/// Docker's nano-CPUs, which is what OpenFaaS on Swarm took. Fractions of a thousandth round up.
[[nodiscard]] std::optional<std::uint64_t> parse_milli_cpu(std::string_view text);

}  // namespace faas
