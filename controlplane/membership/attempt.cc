#include "controlplane/membership/attempt.h"

#include "ipc/base/bytes.h"
#include "transport/wire/codec.h"

namespace phalanx::membership {
namespace {

// u64 count, u64 checksum of all that follows, u32 length of that, then the fields. Both ends are
// on one host and of one build or its successor: the version says whether the fields are these.
constexpr std::size_t kHeadBytes = 20;
constexpr std::uint8_t kVersion = 2;

enum Flag : std::uint8_t {
  kFrozen = 1,
  kLeaving = 2,
  kRunning = 4,
  kInstalling = 8,
  kRecovered = 16,
  kAllDone = 32,
};

/// FNV-1a over the count and the fields: finds a torn write, not a malicious one.
std::uint64_t checksum(std::uint64_t count, std::span<const std::byte> fields) noexcept {
  std::uint64_t sum = 0xcbf29ce484222325 ^ count;
  for (const std::byte byte : fields) sum = (sum ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3;
  return sum;
}

std::uint8_t flags_of(const Durable& durable) noexcept {
  const Attempt& attempt = durable.attempt;
  return static_cast<std::uint8_t>(
      (durable.frozen ? kFrozen : 0) | (durable.leaving ? kLeaving : 0) |
      (attempt.running ? kRunning : 0) | (attempt.installing ? kInstalling : 0) |
      (attempt.recovered ? kRecovered : 0) | (attempt.all_done ? kAllDone : 0));
}

}  // namespace

std::vector<std::byte> encode_snapshot(const Durable& durable, std::uint64_t count) {
  std::vector<std::byte> out(kHeadBytes);
  wire::Writer to(out);
  to.put(kVersion);
  to.put(durable.self.node);
  to.put(durable.self.boot);
  to.put(durable.sequence_seen);
  to.put(durable.view);
  to.put(durable.view_key_id);
  to.put(durable.members);
  to.put(flags_of(durable));
  to.put(durable.attempt.prepare.attempt);
  to.put(durable.attempt.prepare.key_id);
  to.put(durable.attempt.prepare.members);
  to.put(durable.attempt.done);
  std::vector<std::byte> plan;
  if (durable.attempt.plan) wire::encode(*durable.attempt.plan, plan);
  to.put(static_cast<std::uint32_t>(plan.size()));
  out.insert(out.end(), plan.begin(), plan.end());

  const auto fields = std::span(out).subspan(kHeadBytes);
  store_le<std::uint64_t>(out.data(), count);
  store_le<std::uint64_t>(out.data() + 8, checksum(count, fields));
  store_le<std::uint32_t>(out.data() + 16, static_cast<std::uint32_t>(fields.size()));
  return out;
}

std::optional<DecodedSnapshot> decode_snapshot(std::span<const std::byte> bytes) {
  if (bytes.size() < kHeadBytes) return std::nullopt;
  DecodedSnapshot decoded;
  decoded.count = load_le<std::uint64_t>(bytes.data());
  const auto length = load_le<std::uint32_t>(bytes.data() + 16);
  if (length > bytes.size() - kHeadBytes) return std::nullopt;
  const auto fields = bytes.subspan(kHeadBytes, length);
  if (checksum(decoded.count, fields) != load_le<std::uint64_t>(bytes.data() + 8)) {
    return std::nullopt;
  }

  wire::Reader from(fields);
  Durable& durable = decoded.durable;
  Attempt& attempt = durable.attempt;
  from.require(from.take<std::uint8_t>() == kVersion);
  durable.self.node = from.take<std::uint32_t>();
  durable.self.boot = from.take_boot();
  durable.sequence_seen = from.take<std::uint64_t>();
  durable.view = from.take_view();
  durable.view_key_id = from.take<std::uint32_t>();
  durable.members = from.take_members();
  const auto flags = from.take<std::uint8_t>();
  durable.frozen = (flags & kFrozen) != 0;
  durable.leaving = (flags & kLeaving) != 0;
  attempt.running = (flags & kRunning) != 0;
  attempt.installing = (flags & kInstalling) != 0;
  attempt.recovered = (flags & kRecovered) != 0;
  attempt.all_done = (flags & kAllDone) != 0;
  attempt.prepare.attempt = from.take_view();
  attempt.prepare.key_id = from.take<std::uint32_t>();
  attempt.prepare.members = from.take_members();
  attempt.done = from.take<std::uint64_t>();
  const auto plan_bytes = from.take<std::uint32_t>();
  if (!from.ok() || plan_bytes > fields.size()) return std::nullopt;
  if (plan_bytes > 0) attempt.plan = wire::decode_plan(fields.last(plan_bytes));
  if (plan_bytes > 0 && !attempt.plan) return std::nullopt;
  if (attempt.installing && !attempt.plan) return std::nullopt;
  return decoded;
}

}  // namespace phalanx::membership
