#include "controlplane/map/service.h"

#include <gtest/gtest.h>

#include "tests/unit/map/packets.h"

namespace phalanx::map {
namespace {

using shm::MapRequest;
using Next = Service::Next;
using Ids = std::vector<Service::ClientId>;

struct ServiceTest : testing::Test {
  Bench bench;
  Service service{bench.store};

  MapStatus ask(Service::ClientId id, MapCall call, const MapRequest& head, std::string_view key,
                std::span<const std::byte> value = {}) {
    const auto outcome = service.on_request(id, call, packet(head, key, value));
    EXPECT_EQ(outcome.next, Next::Reply);
    return outcome.status;
  }
  MapStatus set(Service::ClientId id, std::string_view key, std::uint64_t number) {
    return ask(id, MapCall::Set, {.type = 8}, key, bytes_of(number));
  }
  MapStatus track(Service::ClientId id, std::uint32_t number, std::string_view key,
                  std::uint32_t bits) {
    return ask(id, MapCall::Track, {.type = bits, .number = number}, key);
  }
  void arm(Service::ClientId id) {
    const auto armed =
        service.on_request(id, MapCall::Arm, packet({.position = bench.store.log_head()}));
    EXPECT_EQ(armed.next, Next::Nothing);
  }
};

TEST_F(ServiceTest, ServesWritesWithTheRightsOfTheClientThatAsks) {
  service.join(1, kAnna);
  service.join(2, kBert);

  EXPECT_EQ(set(1, "app.x", 5), MapStatus::Ok);
  EXPECT_EQ(set(2, "app.x", 6), MapStatus::Access);
  EXPECT_EQ(ask(1, MapCall::Add, {.delta = -1}, "app.x"), MapStatus::Ok);
  EXPECT_EQ(bench.value("app.x"), bytes_of(std::uint64_t{4}));
  EXPECT_EQ(ask(1, MapCall::Delete, {}, "app.x"), MapStatus::Ok);
  EXPECT_EQ(service.counters().refused, 1u);
  EXPECT_EQ(service.counters().refused_access, 1u);
}

TEST_F(ServiceTest, ATypeThatIsNoneBecomesNoOther) {
  service.join(1, kAdmin);

  EXPECT_EQ(ask(1, MapCall::Set, {.type = 256 + 8}, "app.x", bytes_of(8ull)), MapStatus::WrongType);
}

TEST_F(ServiceTest, CutsOffWhoSendsWhatNoLibrarySends) {
  service.join(9, kAdmin);
  const auto cuts = [&](MapCall call, const std::vector<std::byte>& bytes) {
    return service.on_request(9, call, bytes).next == Next::CutOff;
  };
  const std::string long_key(shm::kMapKeyBytesMax + 1, 'k');

  EXPECT_TRUE(cuts(MapCall::Set, {}));
  EXPECT_TRUE(cuts(MapCall::Arm, {}));
  EXPECT_TRUE(cuts(MapCall::Set, std::vector<std::byte>(sizeof(MapRequest) - 1)));
  EXPECT_TRUE(cuts(MapCall::Set, std::vector<std::byte>(shm::kMapMessageBytesMax + 1)));
  EXPECT_TRUE(cuts(MapCall{77}, packet({})));
  auto shorter = packet({}, "app.x");
  shorter.pop_back();
  EXPECT_TRUE(cuts(MapCall::Delete, shorter));
  EXPECT_TRUE(cuts(MapCall::Track, packet({.type = 4, .number = 64}, "app.")));
  EXPECT_TRUE(cuts(MapCall::Track, packet({.type = 16}, "app.")));
  EXPECT_TRUE(cuts(MapCall::Track, packet({.type = 8}, "app.")));
  // What waits for statistics is kept: it is not to be long.
  EXPECT_TRUE(cuts(MapCall::StatsGet, packet({}, long_key)));
  EXPECT_TRUE(
      cuts(MapCall::StatsNext,
           packet({}, "stats.", std::as_bytes(std::span(long_key.data(), long_key.size())))));
  EXPECT_EQ(service.counters().malformed, 11u);
  EXPECT_EQ(bench.store.keys(), 0u);
}

TEST_F(ServiceTest, WakesAnArmedClientOnceForWhatItTracks) {
  service.join(1, kAnna);
  service.join(2, kAdmin);
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
  service.join(1, kAnna);
  (void)set(1, "app.x", 1);

  EXPECT_EQ(service.on_request(1, MapCall::Arm, packet({.position = 0})).next, Next::Nothing);

  EXPECT_EQ(service.take_woken(), Ids{1});
}

TEST_F(ServiceTest, TrackersAreLimitedNamedOnceAndGoWithTheirClient) {
  service.join(1, kAnna);
  for (std::uint32_t i = 0; i < shm::kMapTrackersMax; ++i) {
    ASSERT_EQ(track(1, i, "app.", 15), MapStatus::Ok);
  }

  EXPECT_EQ(track(1, 5, "app.", 15), MapStatus::Exists);
  EXPECT_EQ(track(1, 5, std::string(256, 'a'), 15), MapStatus::NameTooLong);
  EXPECT_EQ(ask(1, MapCall::Untrack, {.number = 5}, ""), MapStatus::Ok);
  EXPECT_EQ(ask(1, MapCall::Untrack, {.number = 5}, ""), MapStatus::NotFound);
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
    if (number == 0) service.join(++id, kAdmin);
    ASSERT_EQ(track(id, number, "app.x", kAdd), MapStatus::Ok);
  }
  service.join(++id, kAdmin);
  EXPECT_EQ(track(id, 0, "app.x", kAdd), MapStatus::Limit);

  service.leave(1);
  EXPECT_EQ(track(id, 0, "app.x", kAdd), MapStatus::Ok);
}

TEST_F(ServiceTest, ABurstBeyondTheLogWakesEverybodyWhoSleeps) {
  service.join(1, kAnna);
  ASSERT_EQ(track(1, 0, "app.", 15), MapStatus::Ok);
  arm(1);
  for (int i = 0; i < 400; ++i)
    (void)bench.set_text("own.x", std::to_string(i) + std::string(16'000, 'x'));

  service.notice_changes();

  EXPECT_EQ(service.take_woken(), Ids{1});
}

}  // namespace
}  // namespace phalanx::map
