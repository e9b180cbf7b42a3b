#include "controlplane/map/service.h"

#include <gtest/gtest.h>

#include "tests/unit/map/packets.h"

namespace phalanx::map {
namespace {

using shm::MapRequest;
using shm::MapRequestKind;
using Next = Service::Next;
using Ids = std::vector<Service::ClientId>;

struct ServiceTest : testing::Test {
  Bench bench;
  Service service{bench.store};
  std::vector<std::byte> reply;

  void greet(Service::ClientId id, const Writer& who) {
    service.join(id, who);
    ASSERT_EQ(service.on_packet(id, packet({}), reply), Next::ReplyWithMemory);
  }
  MapStatus ask(Service::ClientId id, const MapRequest& head, std::string_view key,
                std::span<const std::byte> value = {}) {
    EXPECT_EQ(service.on_packet(id, packet(head, key, value), reply), Next::Reply);
    return head_of(reply).status;
  }
  MapStatus set(Service::ClientId id, std::string_view key, std::uint64_t number) {
    return ask(id, {.kind = MapRequestKind::Set, .type = 8}, key, bytes_of(number));
  }
  MapStatus track(Service::ClientId id, std::uint32_t number, std::string_view key,
                  std::uint32_t bits) {
    return ask(id, {.kind = MapRequestKind::Track, .type = bits, .number = number}, key);
  }
  void arm(Service::ClientId id) {
    EXPECT_EQ(
        service.on_packet(
            id, packet({.kind = MapRequestKind::Arm, .position = bench.store.log_head()}), reply),
        Next::Nothing);
  }
};

TEST_F(ServiceTest, ServesWritesWithTheRightsOfTheClientThatAsks) {
  greet(1, kAnna);
  greet(2, kBert);

  EXPECT_EQ(set(1, "app.x", 5), MapStatus::Ok);
  EXPECT_EQ(set(2, "app.x", 6), MapStatus::Access);
  EXPECT_EQ(ask(1, {.kind = MapRequestKind::Add, .delta = -1}, "app.x"), MapStatus::Ok);
  EXPECT_EQ(bench.value("app.x"), bytes_of(std::uint64_t{4}));
  EXPECT_EQ(ask(1, {.kind = MapRequestKind::Delete}, "app.x"), MapStatus::Ok);
  EXPECT_EQ(service.counters().refused, 1u);
  EXPECT_EQ(service.counters().refused_access, 1u);
}

TEST_F(ServiceTest, ATypeThatIsNoneBecomesNoOther) {
  greet(1, kAdmin);

  EXPECT_EQ(ask(1, {.kind = MapRequestKind::Set, .type = 256 + 8}, "app.x", bytes_of(8ull)),
            MapStatus::WrongType);
}

TEST_F(ServiceTest, HangsUpOnWhatNoLibrarySends) {
  const auto hangs_up = [&](std::vector<std::byte> bytes) {
    service.join(9, kAdmin);
    EXPECT_EQ(service.on_packet(9, packet({}), reply), Next::ReplyWithMemory);
    const bool so = service.on_packet(9, bytes, reply) == Next::HangUp;
    service.leave(9);
    return so;
  };

  EXPECT_TRUE(hangs_up({}));
  EXPECT_TRUE(hangs_up(std::vector<std::byte>(47)));
  EXPECT_TRUE(hangs_up(packet({.magic = 1})));
  EXPECT_TRUE(hangs_up(packet({.kind = MapRequestKind{77}})));
  auto longer = packet({.kind = MapRequestKind::Delete}, "app.x");
  longer.push_back(std::byte{0});
  EXPECT_TRUE(hangs_up(longer));
  EXPECT_TRUE(hangs_up(packet({.kind = MapRequestKind::Track, .type = 4, .number = 64}, "app.")));
  EXPECT_TRUE(hangs_up(packet({.kind = MapRequestKind::Track, .type = 16}, "app.")));
  EXPECT_TRUE(hangs_up(packet({.kind = MapRequestKind::Track, .type = 8}, "app.")));
  EXPECT_EQ(service.counters().malformed, 8u);
}

TEST_F(ServiceTest, NothingIsDoneBeforeHelloAndOtherVersionsAreTold) {
  service.join(1, kAdmin);

  EXPECT_EQ(
      service.on_packet(
          1, packet({.kind = MapRequestKind::Set, .type = 8}, "app.x", bytes_of(1ull)), reply),
      Next::HangUp);
  EXPECT_EQ(bench.store.keys(), 0u);
  EXPECT_EQ(ask(1, {.version = 99}, ""), MapStatus::Version);
}

TEST_F(ServiceTest, WakesAnArmedClientOnceForWhatItTracks) {
  greet(1, kAnna);
  greet(2, kAdmin);
  ASSERT_EQ(track(1, 0, "app.", shm::kMapTrackPrefix | 4), MapStatus::Ok);
  ASSERT_EQ(track(1, 1, "sys.load", 2), MapStatus::Ok);
  arm(1);

  (void)set(2, "other.x", 1);
  (void)set(2, "sys.load", 1);  // Added, and only modifications are tracked.
  EXPECT_EQ(service.take_woken(), Ids{});
  (void)set(2, "sys.load", 2);
  EXPECT_EQ(service.take_woken(), Ids{1});
  (void)set(2, "app.x", 1);
  EXPECT_EQ(service.take_woken(), Ids{});

  arm(1);
  (void)set(2, "app.y", 1);
  (void)set(2, "app.z", 1);
  EXPECT_EQ(service.take_woken(), Ids{1});
}

TEST_F(ServiceTest, WakesAtOnceWhoArmsBehindTheTimes) {
  greet(1, kAnna);
  (void)set(1, "app.x", 1);

  EXPECT_EQ(service.on_packet(1, packet({.kind = MapRequestKind::Arm, .position = 0}), reply),
            Next::Nothing);

  EXPECT_EQ(service.take_woken(), Ids{1});
}

TEST_F(ServiceTest, TrackersAreLimitedNamedOnceAndGoWithTheirClient) {
  greet(1, kAnna);
  for (std::uint32_t i = 0; i < shm::kMapTrackersMax; ++i) {
    ASSERT_EQ(track(1, i, "app.", 15), MapStatus::Ok);
  }

  EXPECT_EQ(track(1, 5, "app.", 15), MapStatus::Exists);
  EXPECT_EQ(track(1, 5, std::string(256, 'a'), 15), MapStatus::NameTooLong);
  EXPECT_EQ(ask(1, {.kind = MapRequestKind::Untrack, .number = 5}, ""), MapStatus::Ok);
  EXPECT_EQ(ask(1, {.kind = MapRequestKind::Untrack, .number = 5}, ""), MapStatus::NotFound);
  EXPECT_EQ(service.trackers(), shm::kMapTrackersMax - 1u);
  service.leave(1);
  EXPECT_EQ(service.trackers(), 0u);
}

// Each change is compared with every tracker: many clients must not make that long.
TEST_F(ServiceTest, TrackersOfAllClientsTogetherAreLimited) {
  constexpr std::uint32_t kAdd = 4;
  Service::ClientId id = 0;
  for (std::size_t i = 0; i < Service::kTrackersMax; ++i) {
    const auto number = static_cast<std::uint32_t>(i % shm::kMapTrackersMax);
    if (number == 0) greet(++id, kAdmin);
    ASSERT_EQ(track(id, number, "app.x", kAdd), MapStatus::Ok);
  }
  greet(++id, kAdmin);
  EXPECT_EQ(track(id, 0, "app.x", kAdd), MapStatus::Limit);

  service.leave(1);
  EXPECT_EQ(track(id, 0, "app.x", kAdd), MapStatus::Ok);
}

TEST_F(ServiceTest, ABurstBeyondTheLogWakesEverybodyWhoSleeps) {
  greet(1, kAnna);
  ASSERT_EQ(track(1, 0, "app.", 15), MapStatus::Ok);
  arm(1);
  for (int i = 0; i < 400; ++i)
    (void)bench.set_text("own.x", std::to_string(i) + std::string(16'000, 'x'));

  service.notice_changes();

  EXPECT_EQ(service.take_woken(), Ids{1});
}

}  // namespace
}  // namespace phalanx::map
