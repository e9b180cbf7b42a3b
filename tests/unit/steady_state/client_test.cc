#include <gtest/gtest.h>
#include <phalanx/phalanx.h>

#include <array>
#include <cstring>

#include "tests/support/fake_server.h"
#include "tests/unit/steady_state/census.h"

namespace phalanx::testing {
namespace {

constexpr std::size_t kRooms = 32;

struct Reader {
  std::size_t messages = 0, calls = 0, members = 0;
};

/// A client of a data plane that sleeps, unless told otherwise: nobody has to be woken.
class SteadyStateOfAClient : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* why = why_no_census()) GTEST_SKIP() << why;
    server_ = fake_server_start(nullptr);
    phx_options options{};
    options.struct_bytes = sizeof options;
    options.runtime_directory = fake_server_directory(server_);
    options.context = &reader_;
    options.callbacks.group_view = [](void* context, phx_handle, const phx_group_view* view) {
      static_cast<Reader*>(context)->members = view->member_count;
    };
    options.callbacks.messages = [](void* context, phx_handle, const phx_message*, size_t count) {
      static_cast<Reader*>(context)->messages += count;
      ++static_cast<Reader*>(context)->calls;
    };
    ASSERT_EQ(phx_initialize(&options, &handle_), PHX_OK);
    ASSERT_EQ(phx_join(handle_, "load", 4, &group_), PHX_OK);
    while (reader_.members == 0) (void)phx_dispatch(handle_, PHX_DISPATCH_ALL, 100);
  }
  void TearDown() override {
    if (handle_ != 0) phx_finalize(handle_);
    if (server_ != nullptr) fake_server_stop(server_);
  }

  fake_server* server_ = nullptr;
  phx_handle handle_ = 0;
  phx_group group_ = 0;
  Reader reader_;
};

TEST_F(SteadyStateOfAClient, ReservingCommittingAndDispatchingLeaveTheKernelAlone) {
  for (std::size_t round = 0; round < 100; ++round) {
    fake_server_pause(server_, 1);
    // The last one that may have to ring: a paused server does not ask for it again.
    ASSERT_EQ(phx_multicast(handle_, group_, nullptr, 0, PHX_AGREED), PHX_OK);
    std::array<phx_room, kRooms> rooms;
    for (phx_room& room : rooms) room.bytes = 64;
    std::size_t reserved = 0;
    phx_status status = PHX_OK;
    Count sending;
    status = phx_reserve(handle_, group_, rooms.data(), kRooms, PHX_AGREED, &reserved);
    for (std::size_t i = 0; i < reserved; ++i) std::memset(rooms[i].data, 'x', 64);
    rooms[0].bytes = round % 64;
    if (status == PHX_OK) status = phx_commit(handle_, rooms.data(), reserved);
    const Census sent = sending.end();
    ASSERT_EQ(status, PHX_OK);
    ASSERT_EQ(reserved, kRooms);
    ASSERT_EQ(sent.allocations + sent.locks + sent.system_calls, 0U) << sent.system_call;

    fake_server_pause(server_, 0);
    phx_flow flow{};
    while (flow.delivery_queued_bytes < (kRooms - 1) * 88)
      ASSERT_EQ(phx_flow_state(handle_, &flow), PHX_OK);
    fake_server_pause(server_, 1);
    const std::size_t before = reader_.messages;
    Count reading;
    status = phx_dispatch(handle_, PHX_DISPATCH_ALL, 0);
    const Census read = reading.end();
    ASSERT_EQ(status, PHX_OK);
    ASSERT_GE(reader_.messages, before + kRooms - 1);
    ASSERT_EQ(read.allocations + read.locks + read.system_calls, 0U) << read.system_call;
    fake_server_pause(server_, 0);
    while (reader_.messages < before + kRooms + 1)
      (void)phx_dispatch(handle_, PHX_DISPATCH_ALL, 100);
  }
  EXPECT_EQ(reader_.messages, 100 * (kRooms + 1));
  EXPECT_LT(reader_.calls, 300U);
}

}  // namespace
}  // namespace phalanx::testing
