#include "tests/sim/script.h"

#include <gtest/gtest.h>

#include <array>

namespace phalanx::sim {
namespace {

Scenario three_steps_and_loss() {
  Scenario scenario;
  scenario.steps = {{.at = 1, .kind = Step::Kind::Kill, .node = 1},
                    {.at = 2, .kind = Step::Kind::Stall, .node = 2},
                    {.at = 3, .kind = Step::Kind::HealLinks}};
  scenario.faults.drop_ppm = 1000;
  return scenario;
}

TEST(Script, NamesItsStepsAndTheNoiseThatItHas) {
  EXPECT_EQ(join_parts(script_parts(three_steps_and_loss())), "0,1,2,drop");
  EXPECT_EQ(join_parts(script_parts(Scenario{})), "none");
}

TEST(Script, KeepsTheNamedPartsAlone) {
  const auto steps = with_parts(three_steps_and_loss(), split_parts("0,2"));
  const auto loss = with_parts(three_steps_and_loss(), split_parts("drop"));
  const auto nothing = with_parts(three_steps_and_loss(), split_parts("none"));

  ASSERT_TRUE(steps && loss && nothing);
  ASSERT_EQ(steps->steps.size(), 2u);
  EXPECT_EQ(steps->steps[1].kind, Step::Kind::HealLinks);
  EXPECT_EQ(steps->faults.drop_ppm, 0u);
  EXPECT_TRUE(loss->steps.empty());
  EXPECT_EQ(loss->faults.drop_ppm, 1000u);
  EXPECT_TRUE(script_parts(*nothing).empty());
}

TEST(Script, RefusesAPartThatItDoesNotHave) {
  for (const char* part : {"3", "corrupt", "", "0x1", "drop,"}) {
    EXPECT_FALSE(with_parts(three_steps_and_loss(), split_parts(part))) << part;
  }
}

TEST(Script, SaysWhatEachPartDoes) {
  const std::array<std::string, 2> parts{"1", "drop"};

  const std::string text = describe_script(three_steps_and_loss(), parts);

  EXPECT_NE(text.find("stall node n2"), std::string::npos);
  EXPECT_NE(text.find("drop 1000 ppm"), std::string::npos);
}

}  // namespace
}  // namespace phalanx::sim
