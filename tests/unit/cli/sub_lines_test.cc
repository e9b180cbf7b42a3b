#include "controlplane/cli/sub_lines.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <vector>

namespace phalanx::cli {
namespace {

const std::vector<std::uint32_t> kNodes{1, 2, 3};

TEST(SubLines, AreOneLineForEachEvent) {
  SubLines lines(SubLines::Format::Text);
  lines.view(17, kNodes);
  lines.message(1, 7, "two\nlines");
  lines.message(2, 1, "");
  lines.member("join", 3, 4);

  EXPECT_EQ(lines.pending(),
            "view 17 nodes 1 2 3\n"
            "1:7 two\\nlines\n"
            "2:1 \n"
            "join 3:4\n");
}

TEST(SubLines, AreOneObjectForEachEventInJson) {
  SubLines lines(SubLines::Format::Json);
  lines.view(17, kNodes);
  lines.message(1, 7, "say \"hi\"\xff");

  EXPECT_EQ(lines.pending(),
            "{\"event\":\"view\",\"nodes\":[1,2,3],\"sequence\":17}\n"
            "{\"client\":7,\"event\":\"message\",\"node\":1,\"text\":\"say \\\"hi\\\"\\\\xff\"}\n");
}

TEST(SubLines, AreGoneOnceTheyAreWritten) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  SubLines lines(SubLines::Format::Text);
  lines.message(1, 2, "x");

  EXPECT_TRUE(lines.flush(ends[1]));

  char buffer[16];
  EXPECT_EQ(read(ends[0], buffer, sizeof buffer), 6);
  EXPECT_EQ(lines.pending(), "");
  close(ends[0]);
  close(ends[1]);
  EXPECT_TRUE(lines.flush(ends[1])) << "nothing to write";
  lines.message(1, 2, "x");
  EXPECT_FALSE(lines.flush(ends[1]));
}

}  // namespace
}  // namespace phalanx::cli
