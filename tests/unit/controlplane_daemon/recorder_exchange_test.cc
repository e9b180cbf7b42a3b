#include "controlplane/daemon/recorder_exchange.h"

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "ipc/recorder/recorder.h"
#include "tests/unit/controlplane_daemon/temporary_directory.h"
#include "transport/wire/keys.h"

namespace phalanx::controlplane {
namespace {

using recorder::Kind;

constexpr std::array<NodeId, 2> kNodes = {1, 2};

/// Two control planes, each with a directory of its own, and a wire between them.
struct Pair {
  struct End {
    TemporaryDirectory directory;
    std::unique_ptr<recorder::Recorder> notes;
    std::unique_ptr<RecorderExchange> exchange;
  };

  explicit Pair(std::size_t events) {
    const wire::ClusterKey key = wire::insecure_cluster_key("test");
    for (NodeId node = 1; node <= 2; ++node) {
      End& end = ends[node - 1];
      end.notes = recorder::Recorder::open({.directory = end.directory.path(),
                                            .writer = "controlplane",
                                            .self = {node, {}},
                                            .nodes = kNodes})
                      .value();
      for (std::size_t i = 0; i < events; ++i) {
        end.notes->note(Kind::Suspected, {.node = node, .view = i});
      }
      end.exchange = std::make_unique<RecorderExchange>(
          loop,
          RecorderExchange::Options{.self = {node, BootId{{static_cast<std::uint8_t>(node)}}},
                                    .peers = {3 - node},
                                    .directory = end.directory.path()},
          wire::RecorderSeal(key, true), [this](NodeId to, std::span<const std::byte> datagram) {
            ++sent;
            if (lossy && sent % 3 == 0) return;
            if (!cut) ends[to - 1].exchange->on_datagram(datagram, monotonic_now());
          });
    }
  }

  nlohmann::json ask() {
    nlohmann::json answer;
    ends[0].exchange->ask([&](const nlohmann::json& said) { answer = said; }, monotonic_now());
    const TimeNs end = monotonic_now() + 5 * kSecond;
    while (answer.is_null() && monotonic_now() < end) (void)loop.run_once(end);
    return answer;
  }

  EventLoop loop;
  std::array<End, 2> ends;
  std::size_t sent = 0;
  bool lossy = false;
  bool cut = false;
};

TEST(RecorderExchange, HasTheEventsOfThePeerToo) {
  Pair pair(100);

  const nlohmann::json answer = pair.ask();

  ASSERT_EQ(answer["nodes"].size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_TRUE(answer["nodes"][i]["answered"].get<bool>());
    EXPECT_EQ(answer["nodes"][i]["events"].size(), 101U);  // And that it started.
  }
  EXPECT_EQ(answer["nodes"][1]["events"][100][3], 2);
  EXPECT_EQ(answer["nodes"][1]["events"][100][4], 99);
}

TEST(RecorderExchange, AsksAgainForWhatGotLost) {
  Pair pair(300);
  pair.lossy = true;

  const nlohmann::json answer = pair.ask();

  EXPECT_TRUE(answer["nodes"][1]["answered"].get<bool>());
  EXPECT_EQ(answer["nodes"][1]["events"].size(), 301U);
}

TEST(RecorderExchange, SaysWhoDidNotAnswerInTime) {
  Pair pair(3);
  pair.cut = true;

  const nlohmann::json answer = pair.ask();

  EXPECT_TRUE(answer["nodes"][0]["answered"].get<bool>());
  EXPECT_FALSE(answer["nodes"][1]["answered"].get<bool>());
}

TEST(RecorderExchange, TellsTheNewestAndNoMoreThanSoMany) {
  Pair pair(2000);

  const nlohmann::json answer = pair.ask();

  ASSERT_EQ(answer["nodes"][1]["events"].size(), kToldMax);
  EXPECT_EQ(answer["nodes"][1]["events"][kToldMax - 1][4], 1999);
}

TEST(RecorderExchange, AnswersOneQuestionAtATime) {
  Pair pair(1);
  pair.cut = true;
  pair.ends[0].exchange->ask([](const nlohmann::json&) {}, monotonic_now());
  nlohmann::json second;

  pair.ends[0].exchange->ask([&](const nlohmann::json& said) { second = said; }, monotonic_now());

  EXPECT_TRUE(second.contains("error"));
}

TEST(RecorderExchange, DropsWhatIsCutOrChangedOrAStrangers) {
  Pair pair(1);
  const wire::ClusterKey key = wire::insecure_cluster_key("test");
  const wire::RecorderSeal seal(key, true);
  const Member peer{2, BootId{{2}}};
  const std::vector<std::byte> good = seal.seal({.sealer = peer, .counter = 1, .token = 7});
  ASSERT_TRUE(seal.open(good));

  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    pair.ends[0].exchange->on_datagram(std::span(good).first(cut), kSecond);
    EXPECT_FALSE(seal.open(std::span(good).first(cut)));
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::vector<std::byte> changed = good;
    changed[at] ^= std::byte{1};
    EXPECT_FALSE(seal.open(changed)) << at;
  }
  const auto stranger = seal.seal({.sealer = {9, BootId{{9}}}, .counter = 1, .token = 7});
  pair.ends[0].exchange->on_datagram(stranger, kSecond);

  EXPECT_EQ(pair.sent, 0U);
}

TEST(RecorderPages, GiveBackWhatWasPutInWhateverIsCut) {
  std::vector<ToldEvent> events(100);
  for (std::size_t i = 0; i < events.size(); ++i) {
    events[i].wall_ns = i;
    events[i].event = {.kind = Kind::Left, .lane = 1, .node = 2, .view = i, .a = 4, .b = 5, .c = 6};
  }

  std::vector<ToldEvent> back;
  for (const auto& page : pages_of(events)) {
    ASSERT_LE(page.size(), wire::kRecorderTextBytes);
    take_page(page, back);
  }

  ASSERT_EQ(back.size(), events.size());
  EXPECT_EQ(back[99].event, events[99].event);
  std::vector<ToldEvent> few;
  take_page(std::span(pages_of(events)[0]).first(100), few);
  EXPECT_EQ(few.size(), 2U);
}

}  // namespace
}  // namespace phalanx::controlplane
