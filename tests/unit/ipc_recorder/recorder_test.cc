#include "ipc/recorder/recorder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "ipc/recorder/reader.h"

namespace phalanx::recorder {
namespace {

constexpr std::array<NodeId, 3> kNodes = {1, 2, 7};

class RecorderTest : public testing::Test {
 protected:
  RecorderTest() {
    std::string name = testing::TempDir() + "recorder-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~RecorderTest() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::unique_ptr<Recorder> open(std::uint32_t slots = 64) const {
    auto recorder = Recorder::open({.directory = directory_,
                                    .writer = "worker",
                                    .self = {2, BootId{{9}}},
                                    .nodes = kNodes,
                                    .slots = slots});
    EXPECT_TRUE(recorder) << recorder.error().text();
    return recorder ? std::move(*recorder) : nullptr;
  }
  [[nodiscard]] std::string path() const { return directory_ + "/worker.ring"; }
  [[nodiscard]] std::vector<std::byte> bytes() const {
    std::ifstream file(path(), std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    std::vector<std::byte> out(text.size());
    std::memcpy(out.data(), text.data(), text.size());
    return out;
  }

  std::string directory_;
};

TEST_F(RecorderTest, ReadsBackWhatWasNotedInItsOrder) {
  const auto recorder = open();
  recorder->note(Kind::NakSent, {.lane = 3, .node = 7, .view = 40, .a = 100, .b = 200, .c = 5});
  recorder->note(Kind::Frozen);

  const auto ring = read_file(path());

  ASSERT_TRUE(ring) << ring.error().text();
  EXPECT_TRUE(ring->header_sound);
  EXPECT_EQ(ring->writer(), "worker");
  EXPECT_EQ(ring->header.node, 2U);
  ASSERT_EQ(ring->events.size(), 3U);
  EXPECT_EQ(ring->events[0].kind, Kind::Started);
  EXPECT_EQ(ring->events[1].kind, Kind::NakSent);
  EXPECT_EQ(ring->events[1].lane, 3U);
  EXPECT_EQ(ring->events[1].node, 7U);
  EXPECT_EQ(ring->events[1].b, 200U);
  EXPECT_EQ(ring->events[2].number, 3U);
  EXPECT_EQ(ring->spoilt, 0U);
}

TEST_F(RecorderTest, KeepsTheNewestOfMoreThanItHolds) {
  const auto recorder = open(64);
  for (std::uint64_t i = 0; i < 1000; ++i) recorder->note(Kind::Gap, {.a = i});

  const auto ring = read_file(path());

  ASSERT_TRUE(ring);
  ASSERT_EQ(ring->events.size(), 64U);
  EXPECT_EQ(ring->events.back().a, 999U);
  EXPECT_EQ(ring->events.front().a, 936U);
  EXPECT_EQ(std::filesystem::file_size(path()), kHeaderBytes + 64 * sizeof(Event));
}

TEST_F(RecorderTest, TimesAreThoseOfTheWallClock) {
  const auto before = static_cast<std::uint64_t>(time(nullptr)) * kSecond;
  const auto recorder = open();
  recorder->note(Kind::Frozen);

  const auto ring = read_file(path());

  ASSERT_TRUE(ring && ring->clock.known());
  const std::uint64_t at = ring->clock.wall_of(ring->events.back().ticks);
  EXPECT_GE(at + kSecond, before);
  EXPECT_LE(at, before + 60 * kSecond);
}

TEST_F(RecorderTest, KeepsTheFilesOfThreeProcessesThatWereBefore) {
  for (std::uint64_t round = 0; round < 6; ++round) open()->note(Kind::Gap, {.a = round});

  const auto files = list_files(directory_, true);

  ASSERT_EQ(files.size(), 4U);
  EXPECT_EQ(list_files(directory_, false), std::vector<std::string>{path()});
  const auto last = read_file(path() + ".3");
  ASSERT_TRUE(last);
  EXPECT_EQ(last->events.at(1).a, 2U);
  EXPECT_EQ(last->events.at(2).kind, Kind::Stopped);
}

// A full disk and a service that is started again and again must not cost the last recordings.
TEST_F(RecorderTest, AStartThatFailsPushesNothingOut) {
  open()->note(Kind::Gap, {.a = 7});

  for (int round = 0; round < 5; ++round) {
    EXPECT_FALSE(MappedFile::create(directory_, "worker.ring", std::size_t{1} << 62));
  }

  const auto last = read_file(path());
  ASSERT_TRUE(last);
  EXPECT_EQ(last->events.at(1).a, 7U);
  EXPECT_EQ(list_files(directory_, true), std::vector<std::string>{path()});
}

// The reason for it all: nothing runs after SIGKILL, and nothing has to.
TEST_F(RecorderTest, OutlivesItsWriterKilled) {
  for (const int deadly : {SIGKILL, SIGSEGV}) {
    const pid_t child = fork();
    if (child == 0) {
      std::signal(SIGSEGV, SIG_DFL);  // A sanitizer would have its own say.
      const auto recorder = open();
      for (std::uint64_t i = 0; i < 100; ++i) recorder->note(Kind::Gap, {.a = i});
      raise(deadly);
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == deadly);

    const auto ring = read_file(path());

    ASSERT_TRUE(ring);
    EXPECT_EQ(ring->events.size(), 64U);
    EXPECT_EQ(ring->events.back().a, 99U);
  }
}

TEST_F(RecorderTest, DecodesWhatIsSoundOfAFileCutAnywhere) {
  const auto recorder = open(64);
  for (std::uint64_t i = 0; i < 40; ++i) recorder->note(Kind::Gap, {.a = i});
  const std::vector<std::byte> whole = bytes();

  for (std::size_t cut = 0; cut <= whole.size(); cut += 13) {
    const Ring ring = decode(std::span(whole).first(cut));

    const std::size_t slots = cut < kHeaderBytes ? 0 : (cut - kHeaderBytes) / sizeof(Event);
    EXPECT_EQ(ring.events.size(), std::min<std::size_t>(slots, 41)) << cut;
    EXPECT_EQ(ring.spoilt, 0U);
  }
}

TEST_F(RecorderTest, LosesTheScribbledEventsAndNoOthers) {
  const auto recorder = open(64);
  for (std::uint64_t i = 0; i < 63; ++i) recorder->note(Kind::Gap, {.a = i});
  std::vector<std::byte> file = bytes();
  for (const std::size_t slot : {0U, 5U, 63U}) {
    file[kHeaderBytes + slot * sizeof(Event) + 17 + slot % 40] ^= std::byte{0x40};
  }

  const Ring ring = decode(file);

  EXPECT_EQ(ring.events.size(), 61U);
  EXPECT_EQ(ring.spoilt, 3U);
}

TEST_F(RecorderTest, NeedsNoHeaderToFindTheEvents) {
  const auto recorder = open(64);
  for (std::uint64_t i = 0; i < 10; ++i) recorder->note(Kind::Gap, {.a = i});
  std::vector<std::byte> file = bytes();
  std::fill_n(file.begin(), kHeaderBytes, std::byte{0xFF});

  const Ring ring = decode(file);

  EXPECT_FALSE(ring.header_sound);
  EXPECT_FALSE(ring.clock.known());
  EXPECT_EQ(ring.events.size(), 11U);
}

TEST_F(RecorderTest, AnEventCopiedToAnotherPlaceCountsOnce) {
  const auto recorder = open(64);
  recorder->note(Kind::Gap);
  std::vector<std::byte> file = bytes();
  std::copy_n(file.begin() + kHeaderBytes, sizeof(Event),
              file.begin() + kHeaderBytes + 20 * sizeof(Event));

  const Ring ring = decode(file);

  EXPECT_EQ(ring.events.size(), 2U);
  EXPECT_EQ(ring.spoilt, 1U);
}

TEST_F(RecorderTest, SaysWhatIsNoRecorder) {
  std::ofstream(path()) << std::string(10000, 'x');

  EXPECT_FALSE(read_file(path()));
  EXPECT_FALSE(read_file(directory_));
  EXPECT_FALSE(read_file(directory_ + "/none.ring"));
}

TEST(RecorderWithoutAFile, NotesIntoNothing) {
  Recorder recorder;
  recorder.note(Kind::Gap, {.a = 1});
  recorder.keep_time();

  EXPECT_EQ(recorder.written(), 1U);
  EXPECT_EQ(recorder.bit_of(1), 0U);
}

TEST(RecorderKinds, EachHasANameOfItsOwn) {
  std::vector<std::string_view> names;
  for (std::uint16_t number = 1; number < 200; ++number) {
    if (const KindInfo* info = info_of(static_cast<Kind>(number))) names.push_back(info->name);
  }
  std::sort(names.begin(), names.end());

  EXPECT_GT(names.size(), 40U);
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace phalanx::recorder
