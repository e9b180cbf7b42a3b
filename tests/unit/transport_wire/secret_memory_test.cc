#include "transport/wire/secret_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "tests/unit/transport_wire/samples.h"
#include "transport/wire/frame_seal.h"
#include "transport/wire/key_ring.h"

namespace phalanx::wire {
namespace {

struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool dumped = true;
  bool readable = false;
};

/// What this process has mapped, and what of it a core dump would hold.
std::vector<Mapping> mappings() {
  std::vector<Mapping> found;
  std::ifstream smaps("/proc/self/smaps");
  for (std::string line; std::getline(smaps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char mode[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, mode) == 3) {
      // What the kernel maps into each process cannot be read like memory.
      const bool plain = line.find("[v") == std::string::npos;
      found.push_back({begin, end, true, mode[0] == 'r' && plain});
    } else if (line.starts_with("VmFlags:") && !found.empty()) {
      found.back().dumped = (line + " ").find(" dd ") == std::string::npos;
    }
  }
  return found;
}

Mapping mapping_of(const void* memory) {
  const auto at = reinterpret_cast<std::uintptr_t>(memory);
  for (const Mapping& one : mappings()) {
    if (at >= one.begin && at < one.end) return one;
  }
  return {};
}

/// How often 32 bytes stand in what a core dump would hold. `inverted`: so that the bytes that are
/// looked for are not among them.
std::size_t count_in_dump(const std::vector<std::uint8_t>& inverted) {
  std::size_t count = 0;
  std::ifstream memory("/proc/self/mem", std::ios::binary);
  std::vector<char> part(1 << 20);
  for (const Mapping& one : mappings()) {
    if (!one.dumped || !one.readable || one.end - one.begin > (std::size_t{1} << 30)) continue;
    for (std::uintptr_t at = one.begin; at < one.end; at += part.size() - 32) {
      const std::size_t wanted = std::min<std::size_t>(part.size(), one.end - at);
      memory.clear();
      memory.seekg(static_cast<std::streamoff>(at));
      memory.read(part.data(), static_cast<std::streamsize>(wanted));
      const auto got = static_cast<std::size_t>(std::max<std::streamsize>(memory.gcount(), 0));
      for (std::size_t i = 0; i + 32 <= got; ++i) {
        const bool same = std::equal(
            inverted.begin(), inverted.end(), part.begin() + i, [](std::uint8_t a, char b) {
              return static_cast<std::uint8_t>(~a) == static_cast<std::uint8_t>(b);
            });
        if (same) ++count;
      }
    }
    std::fill(part.begin(), part.end(), '\0');
  }
  return count;
}

std::vector<std::uint8_t> inverted(const Secret& secret) {
  std::vector<std::uint8_t> out;
  for (const std::uint8_t byte : secret.bytes()) out.push_back(static_cast<std::uint8_t>(~byte));
  return out;
}

TEST(SecretMemory, IsInNoCoreDumpAndComesZeroed) {
  auto* memory = static_cast<std::uint8_t*>(allocate_secret(1000));

  EXPECT_FALSE(mapping_of(memory).dumped);
  EXPECT_TRUE(mapping_of(this).dumped) << "all else is";
  EXPECT_EQ(std::count(memory, memory + 1000, 0), 1000);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % 64, 0U);
  std::fill_n(memory, 1000, std::uint8_t{7});
  free_secret(memory, 1000);
  auto* again = static_cast<std::uint8_t*>(allocate_secret(1000));
  EXPECT_EQ(std::count(again, again + 1000, 7), 0);
  free_secret(again, 1000);
}

TEST(SecretMemory, GoesOnWhenItIsFull) {
  std::vector<void*> taken;
  for (int i = 0; i < 40; ++i) taken.push_back(allocate_secret(100'000));

  EXPECT_TRUE(mapping_of(taken.back()).dumped);
  std::fill_n(static_cast<std::uint8_t*>(taken.back()), 100'000, std::uint8_t{7});
  for (void* memory : taken) free_secret(memory, 100'000);

  void* memory = allocate_secret(100'000);
  EXPECT_FALSE(mapping_of(memory).dumped);
  free_secret(memory, 100'000);
}

// The search finds what is there, or it would show nothing.
TEST(SecretMemory, IsLookedForByASearchThatFindsThings) {
  auto key = new_cluster_key(1);
  const std::vector<std::uint8_t> pattern = inverted(key->secret);
  EXPECT_EQ(count_in_dump(pattern), 0U);

  const std::vector<std::uint8_t> careless(key->secret.bytes().begin(), key->secret.bytes().end());
  EXPECT_GE(count_in_dump(pattern), 1U);
}

// In use, after a rotation, and when all is over.
TEST(SecretMemory, KeepsClusterKeysOutOfACoreDump) {
  auto first = new_cluster_key(1);
  auto second = new_cluster_key(2);
  const std::vector<std::uint8_t> one = inverted(first->secret);
  const std::vector<std::uint8_t> two = inverted(second->secret);
  const std::vector<Member> members = {{1, samples::boot(1)}, {2, samples::boot(2)}};
  {
    KeyTable keys({.cipher = fastest_cipher(), .self = members[0], .lanes = 1, .nodes = {1, 2}},
                  std::move(*first));
    FrameSealer sealer(keys);
    std::vector<std::byte> frame(200);
    keys.install(samples::view(1), members, 1);
    (void)sealer.seal_data(FrameType::Ordered, 0, 0, std::span(frame).first(50), frame);
    EXPECT_EQ(count_in_dump(one), 0U);

    auto again = parse_cluster_key("phalanx-cluster-key 1\nid 1\nkey " + std::string(64, 'a'), "f");
    keys.hold(std::move(*again), std::move(*second));
    keys.install(samples::view(2), members, 2);
    (void)sealer.seal_data(FrameType::Ordered, 0, 0, std::span(frame).first(50), frame);
    EXPECT_EQ(count_in_dump(two), 0U);
  }
  EXPECT_EQ(count_in_dump(one), 0U);
  EXPECT_EQ(count_in_dump(two), 0U);
}

TEST(SecretMemory, HoldsWhatFramesAreSealedWith) {
  if (!available(Cipher::IpsecMb)) GTEST_SKIP() << "the other library keeps its own memory";
  const auto key = new_cluster_key(1);
  const DerivedKey derived = derive_view_key(*key, samples::view(1), {1, samples::boot(1)});
  const std::vector<std::uint8_t> pattern = inverted(derived.secret);
  const AeadKey sealing(Cipher::IpsecMb, derived.secret);

  EXPECT_EQ(count_in_dump(pattern), 0U);
}

}  // namespace
}  // namespace phalanx::wire
