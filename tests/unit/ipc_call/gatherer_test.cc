#include "ipc/call/gatherer.h"

#include <gtest/gtest.h>

namespace phalanx::call {
namespace {

unsigned after(Gatherer& gatherer, std::size_t count) {
  gatherer.took(count);
  gatherer.before_look();
  return gatherer.moment();
}

TEST(Gatherer, WaitsLongerWhileLookAfterLookFindsLittle) {
  Gatherer gatherer;
  unsigned before = 0;
  for (int i = 0; i < 6; ++i) {
    const unsigned moment = after(gatherer, 1);
    EXPECT_GT(moment, before);
    before = moment;
  }
  for (int i = 0; i < 10; ++i) (void)after(gatherer, 1);
  const unsigned longest = gatherer.moment();
  EXPECT_EQ(after(gatherer, 1), longest) << "it has an end";
}

TEST(Gatherer, DoesNotWaitForWhoSendsOneAndWaits) {
  Gatherer gatherer;
  (void)after(gatherer, 1);
  const unsigned shortest = gatherer.moment();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(after(gatherer, 0), 0U);
    EXPECT_EQ(after(gatherer, 1), shortest);
  }
}

TEST(Gatherer, CountsWhatWasTakenInSeveralGoes) {
  Gatherer gatherer;
  for (int i = 0; i < 5; ++i) (void)after(gatherer, 1);
  const unsigned moment = gatherer.moment();
  for (int i = 0; i < 64; ++i) gatherer.took(64);
  gatherer.before_look();
  EXPECT_EQ(gatherer.moment(), moment) << "enough had gathered";
  EXPECT_GT(after(gatherer, 1), moment) << "counted anew";
}

TEST(Gatherer, LooksAtOnceWhereSomebodyWaits) {
  Gatherer gatherer;
  for (int i = 0; i < 5; ++i) (void)after(gatherer, 1);
  gatherer.took(1);
  gatherer.look_at_once();
  EXPECT_EQ(gatherer.moment(), 0U);
  EXPECT_EQ(after(gatherer, 0), 0U);
}

}  // namespace
}  // namespace phalanx::call
