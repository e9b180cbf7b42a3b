#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/membership/membership.h"
#include "controlplane/quorum/quorum.h"
#include "dataplane/core/group_state.h"
#include "dataplane/core/row.h"
#include "dataplane/core/view_record.h"
#include "ipc/base/fd.h"
#include "ipc/shm/attach_server.h"
#include "ipc/shm/control_channel.h"
#include "tests/unit/transport_wire/samples.h"
#include "transport/wire/fragments.h"
#include "transport/wire/frame_seal.h"
#include "transport/wire/management.h"

namespace phalanx {
namespace {

using Bytes = std::vector<std::byte>;

/// What a parser takes, as it would write it again; empty: refused.
using Parse = std::function<std::optional<Bytes>(std::span<const std::byte>)>;

struct Sample {
  std::string name;
  Bytes bytes;
  Parse parse;
};

template <class T, class Decode>
Sample sample_of(std::string name, const T& value, Decode decode) {
  Bytes bytes;
  encode(value, bytes);
  return {std::move(name), bytes, [decode](std::span<const std::byte> in) -> std::optional<Bytes> {
            const auto taken = decode(in);
            if (!taken) return std::nullopt;
            Bytes again;
            encode(*taken, again);
            return again;
          }};
}

Sample row_sample() {
  core::Row row{.received = 4096, .limit = 8192, .origin_count = 3, .origins = {}};
  row.origins[1] = {100, 200};
  std::array<std::byte, core::kRowBytesMax> out;
  const std::size_t length = encode_row(row, out);
  return {"row",
          {out.begin(), out.begin() + static_cast<long>(length)},
          [](std::span<const std::byte> in) -> std::optional<Bytes> {
            core::Row taken;
            if (!decode_row(in, taken)) return std::nullopt;
            std::array<std::byte, core::kRowBytesMax> again;
            const std::size_t bytes = encode_row(taken, again);
            return Bytes(again.begin(), again.begin() + static_cast<long>(bytes));
          }};
}

Sample nak_sample() {
  core::Nak nak{.what = core::Nak::What::Stream, .count = 2, .spans = {}};
  nak.spans[0] = {10, 20};
  nak.spans[1] = {30, 40};
  std::array<std::byte, core::kNakBytesMax> out;
  const std::size_t length = encode_nak(nak, out);
  return {"nak",
          {out.begin(), out.begin() + static_cast<long>(length)},
          [](std::span<const std::byte> in) -> std::optional<Bytes> {
            core::Nak taken;
            if (!decode_nak(in, taken)) return std::nullopt;
            std::array<std::byte, core::kNakBytesMax> again;
            const std::size_t bytes = encode_nak(taken, again);
            return Bytes(again.begin(), again.begin() + static_cast<long>(bytes));
          }};
}

Sample group_state_sample() {
  const std::vector<core::Membership> some{{7, 1, 100, "words"}, {9, 2, 200, "other words"}};
  Bytes bytes(group_state_bytes(some));
  encode_group_state(some, bytes);
  return {"group state", bytes, [](std::span<const std::byte> in) -> std::optional<Bytes> {
            std::vector<core::Membership> taken;
            if (!core::decode_group_state(in, [&](const auto& m) { taken.push_back(m); }))
              return std::nullopt;
            Bytes again(group_state_bytes(taken));
            encode_group_state(taken, again);
            return again;
          }};
}

Sample view_record_sample() {
  core::ViewRecord record{.view = wire::samples::view(8), .quorate = true, .members = {}};
  for (const Member& member : wire::samples::members()) record.members.push_back({member, true});
  Bytes bytes(core::view_record_bytes(record.members.size()));
  encode_view_record(record, bytes);
  return {"view record", bytes, [](std::span<const std::byte> in) -> std::optional<Bytes> {
            const auto taken = core::decode_view_record(in);
            if (!taken) return std::nullopt;
            Bytes again(core::view_record_bytes(taken->members.size()));
            encode_view_record(*taken, again);
            return again;
          }};
}

shm::Command command() {
  return {.kind = shm::CommandKind::SendControl,
          .message_kind = 1,
          .token = 3,
          .attempt = wire::samples::view(8),
          .to = wire::samples::members(),
          .bytes = Bytes(40, std::byte{7})};
}

shm::Event event() {
  return {.kind = shm::WorkerEventKind::ControlMessage,
          .message_kind = 2,
          .token = 4,
          .sender = wire::samples::members()[0],
          .view = wire::samples::view(8),
          .bytes = Bytes(40, std::byte{7})};
}

std::vector<Sample> samples() {
  using namespace wire;
  std::vector<Sample> all{
      sample_of("hello", samples::hello(), decode_hello),
      sample_of("prepare", samples::prepare(), decode_prepare),
      sample_of("refusal", samples::refusal(), decode_refusal),
      sample_of("report", samples::report(), decode_report),
      sample_of("plan", samples::plan(), decode_plan),
      sample_of("done", samples::done(), decode_done),
      row_sample(),
      nak_sample(),
      group_state_sample(),
      view_record_sample(),
      sample_of("command", command(), shm::decode_command),
      sample_of("event", event(), shm::decode_event),
  };
  return all;
}

// CVE-2026-35091 of this family: a check saw that a message was short, and said that it was fine.
TEST(Truncation, AtEveryByteOfEverySampleIsRefused) {
  for (const Sample& sample : samples()) {
    ASSERT_EQ(sample.parse(sample.bytes), sample.bytes) << sample.name;
    for (std::size_t length = 0; length < sample.bytes.size(); ++length) {
      // A copy of its own: a sanitizer sees a read past its end.
      const Bytes shorter(sample.bytes.begin(), sample.bytes.begin() + static_cast<long>(length));
      EXPECT_FALSE(sample.parse(shorter)) << sample.name << " of " << length << " bytes";
    }
    Bytes longer = sample.bytes;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(sample.parse(longer)) << sample.name << " with a byte more";
  }
}

// CVE-2026-35092: two counts were added in 32 bits. Whatever stands at a place that a count may be
// at, the sample is refused or says exactly what its bytes say.
TEST(Truncation, NumbersNearTheEdgesOfTheirTypesAreNoLengths) {
  constexpr std::array<std::uint32_t, 8> kEdges{0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF,
                                                0xFFFFFFFC, 0xFFFFFFF0, 0x00010000, 0x0000FFFF};
  for (const Sample& sample : samples()) {
    for (std::size_t at = 0; at + 4 <= sample.bytes.size(); ++at) {
      for (const std::uint32_t edge : kEdges) {
        Bytes changed = sample.bytes;
        store_le<std::uint32_t>(changed.data() + at, edge);
        const auto taken = sample.parse(changed);
        if (!taken || sample.name == "view record") continue;  // That one never leaves a node.
        EXPECT_EQ(*taken, changed) << sample.name << " at " << at << ": " << edge;
      }
    }
  }
}

TEST(Truncation, AtEveryByteOfASealedFrameIsRefused) {
  wire::KeyTable sender({.self = {1, BootId{{1}}}, .nodes = {1, 2}},
                        wire::insecure_cluster_key("test"));
  wire::KeyTable receiver({.self = {2, BootId{{2}}}, .nodes = {1, 2}},
                          wire::insecure_cluster_key("test"));
  const std::array<Member, 2> members{Member{1, BootId{{1}}}, Member{2, BootId{{2}}}};
  sender.install(wire::samples::view(1), members);
  receiver.install(wire::samples::view(1), members);
  wire::FrameSealer sealer(sender);
  wire::FrameOpener opener(receiver);
  const Bytes payload(100, std::byte{7});
  for (const bool control : {false, true}) {
    Bytes frame(256);
    frame.resize(control ? sealer.seal_control(0, BootId{{2}}, payload, frame)
                         : sealer.seal_data(wire::FrameType::Ordered, 0, 8, payload, frame));
    Bytes opened(256);
    const auto opens = [&](std::size_t length) {
      receiver.begin_turn(static_cast<TimeNs>(length + 1) * kSecond);
      const Bytes part(frame.begin(), frame.begin() + static_cast<long>(length));
      wire::CheckedFrame checked = opener.check(part);
      return checked.verdict == wire::FrameVerdict::Good && opener.open(checked, opened.data());
    };

    for (std::size_t length = 0; length < frame.size(); ++length)
      EXPECT_FALSE(opens(length)) << (control ? "control" : "data") << " frame of " << length;
    EXPECT_TRUE(opens(frame.size()));
  }
}

TEST(Truncation, AFragmentShorterThanItsHeaderIsNone) {
  Bytes whole(64);
  whole.resize(
      wire::encode_fragment(wire::MessageKind::Hello, 1, 0, Bytes(20, std::byte{7}), whole));

  ASSERT_TRUE(wire::decode_fragment(whole));
  for (std::size_t length = 0; length < wire::kFragmentHeaderBytes; ++length)
    EXPECT_FALSE(wire::decode_fragment(std::span(whole).first(length))) << length;
}

TEST(Truncation, AtEveryByteOfWhatARestartedControlPlaneReadsIsRefused) {
  const membership::MembershipConfig config{.self = {1, BootId{{1}}}, .nodes = {1, 2}};
  membership::Membership machine(config, 0);
  (void)machine.start(kSecond);
  const Bytes kept = machine.snapshot();
  quorum::QuorumConfig votes;
  votes.nodes = {{1, 1}, {2, 1}};
  const Bytes counted = quorum::Quorum(votes, 1).snapshot();

  for (std::size_t length = 0; length < kept.size(); ++length) {
    membership::Membership next(config, 0);
    EXPECT_FALSE(next.restore(std::span(kept).first(length), kSecond)) << length;
  }
  for (std::size_t length = 0; length < counted.size(); ++length)
    EXPECT_FALSE(quorum::Quorum(votes, 1).restore(std::span(counted).first(length))) << length;
}

TEST(Truncation, OfAnAttachRequestIsRefusedAndSoAreOtherSizes) {
  const shm::AttachRequest request;
  for (std::size_t length = 1; length <= sizeof request; ++length) {
    std::array<int, 2> pair;
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    const Fd client(pair[0]), daemon(pair[1]);
    ASSERT_EQ(send(client.get(), &request, length, MSG_NOSIGNAL), static_cast<ssize_t>(length));

    shm::AttachRequest taken;
    const shm::RequestState state = shm::read_attach_request(daemon.get(), taken);

    EXPECT_EQ(state,
              length == sizeof request ? shm::RequestState::Ready : shm::RequestState::Refused)
        << length;
  }
}

TEST(Truncation, OfAKeyFileIsRefusedUpToItsLastDigit) {
  wire::ClusterKey key = wire::insecure_cluster_key("test");
  const std::string text = format_cluster_key(key);

  for (std::size_t length = 0; length + 1 < text.size(); ++length)
    EXPECT_FALSE(wire::parse_cluster_key(text.substr(0, length), "test")) << length;
  EXPECT_TRUE(wire::parse_cluster_key(text, "test"));
}

}  // namespace
}  // namespace phalanx
