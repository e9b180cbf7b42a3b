#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <memory>

#include "ipc/shm/descriptor_socket.h"
#include "tests/unit/ipc_call/fixture.h"
#include "tests/unit/ipc_call/raw_client.h"

namespace phalanx::call {
namespace {

std::string socket_of(const Folder& folder) {
  return std::string(folder.path()) + "/ipc/test.sock";
}

ConnectRequest usual() {
  ConnectRequest r;
  r.service = kService;
  r.outstanding_max = 4;
  r.request_bytes = r.response_bytes = r.dispatch_bytes = 4096;
  r.message_bytes_max = 1000;
  r.buffer_bytes = 8192;
  return r;
}

/// A server, and a client that must not notice anything.
class Hostile : public testing::Test {
 protected:
  Hostile() : server(folder) {}
  void SetUp() override {
    server.start();
    bystander = connect_to(folder);
  }
  void TearDown() override {
    EXPECT_EQ(phx_ipc_call(bystander, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
    EXPECT_EQ(phx_ipc_disconnect(bystander), PHX_OK);
    EXPECT_TRUE(eventually([&] { return server.exited == server.connected; }));
  }

  Folder folder;
  TestServer server;
  phx_ipc_handle bystander = 0;
};

std::uint32_t tag_of(RequestKind kind) { return static_cast<std::uint32_t>(kind); }

TEST_F(Hostile, RecordsThatNoLibraryWritesEndTheConnection) {
  struct Lie {
    const char* what;
    std::uint32_t length;
    std::uint32_t tag;
    RequestBody body;
  };
  const RequestBody fine{.id = kEcho, .slot = 0, .sequence = 1, .reply_bytes = 100};
  RequestBody high_slot = fine, large_reply = fine;
  high_slot.slot = 4;
  large_reply.reply_bytes = 1001;
  const Lie lies[] = {
      {"longer than what was shown", 64, tag_of(RequestKind::Call), fine},
      {"negative length", ~0u, tag_of(RequestKind::Call), fine},
      {"too short for its header", 8, tag_of(RequestKind::Call), fine},
      {"kind 0", 16, 0, fine},
      {"unknown kind", 16, 99, fine},
      {"body in a bulk ring that is not there", 16, tag_of(RequestKind::Call) | 0x8000, fine},
      {"slot beyond its share", 16, tag_of(RequestKind::Call), high_slot},
      {"reply larger than any message", 16, tag_of(RequestKind::Call), large_reply},
      {"post that ends before it begins", 16, tag_of(RequestKind::Post), fine},
      {"buffer message without a buffer", 16, tag_of(RequestKind::BufferCall), fine},
  };
  for (const Lie& lie : lies) {
    RawClient client(socket_of(folder), usual());
    ASSERT_TRUE(client.good());
    client.write(lie.length, lie.tag, &lie.body, sizeof lie.body);
    EXPECT_TRUE(client.is_cut_off()) << lie.what;
    EXPECT_EQ(client.page().state, static_cast<std::uint32_t>(State::Broken)) << lie.what;
  }
}

TEST_F(Hostile, BufferRangesStayInsideTheBuffers) {
  struct {
    RequestBody body;
    BufferRange range;
  } lie{.body = {.id = kSum, .slot = 0, .sequence = 1, .reply_bytes = 8}, .range = {}};
  for (const BufferRange range :
       {BufferRange{8192, 1}, BufferRange{0, 8193}, BufferRange{4, 8},
        BufferRange{~std::uint64_t{7}, 16}, BufferRange{8, ~std::uint64_t{0}}}) {
    RawClient client(socket_of(folder), usual());
    ASSERT_TRUE(client.good());
    lie.range = range;
    client.write(sizeof lie, tag_of(RequestKind::BufferCall), &lie, sizeof lie);
    EXPECT_TRUE(client.is_cut_off()) << range.offset << " " << range.bytes;
  }
}

TEST_F(Hostile, EveryWordOfTheSharedPageMayBeRubbish) {
  for (const std::uint64_t rubbish :
       {std::uint64_t{8}, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
    for (std::size_t at = 0; at < sizeof(Page); at += 8) {
      RawClient client(socket_of(folder), usual());
      ASSERT_TRUE(client.good());
      std::memcpy(client.base() + at, &rubbish, sizeof rubbish);
      client.ring();
      (void)phx_ipc_dispatch(server.server, server.last, 1, "event", 5);
      client.ring();
    }
  }
  EXPECT_EQ(phx_ipc_call(bystander, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
}

TEST_F(Hostile, OneSlotForTwoCallsIsALie) {
  RawClient client(socket_of(folder), usual());
  ASSERT_TRUE(client.good());
  const RequestBody body{.id = kLater, .slot = 0, .sequence = 1, .reply_bytes = 8};
  std::byte* at = client.base() + kPageBytes;
  for (int i = 0; i < 2; ++i) {
    const std::uint32_t prefix[2] = {sizeof body, tag_of(RequestKind::Call)};
    std::memcpy(at + i * 24, prefix, 8);
    std::memcpy(at + i * 24 + 8, &body, sizeof body);
  }
  std::atomic_ref(client.page().request.tail.position).store(48);
  client.ring();
  EXPECT_TRUE(client.is_cut_off());
  // Its reply comes too late, and is told so.
  EXPECT_TRUE(eventually([&] { return server.exited == 1; }));
  const std::lock_guard guard(server.mutex);
  ASSERT_EQ(server.later.size(), 1u);
  EXPECT_EQ(
      phx_ipc_reply_send(server.server, server.later[0].connection, server.later[0].request, "", 0),
      PHX_BAD_HANDLE);
}

/// A client with the ring always full: the same records again and again.
class EndlessPoster {
 public:
  explicit EndlessPoster(const Folder& folder) : client_(socket_of(folder), usual()) {
    constexpr std::uint32_t kBody = sizeof(RequestBody) + 8;
    const std::uint32_t words[2] = {kBody, tag_of(RequestKind::Post)};
    const RequestBody post{.id = kGuardedCount, .slot = 0, .sequence = 0, .reply_bytes = 0};
    for (std::size_t at = kPageBytes; at < kPageBytes + 4096; at += 32) {
      std::memcpy(client_.base() + at, words, sizeof words);
      std::memcpy(client_.base() + at + sizeof words, &post, sizeof post);
    }
    thread_ = std::thread([this] {
      shm::RingIndices& ring = client_.page().request;
      while (!done_) {
        const std::uint64_t head = std::atomic_ref(ring.head.position).load();
        std::atomic_ref(ring.tail.position).store(head + 4096);
        if (std::atomic_ref(client_.page().server_sleeps).exchange(0) != 0) client_.ring();
      }
    });
  }
  ~EndlessPoster() {
    done_ = true;
    thread_.join();
  }
  EndlessPoster(const EndlessPoster&) = delete;
  EndlessPoster& operator=(const EndlessPoster&) = delete;
  [[nodiscard]] const RawClient& client() const { return client_; }

 private:
  RawClient client_;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

TEST(EndlessPosts, EndWhenTheClientIsCutOffOrHangsUp) {
  for (const phx_ipc_threading threading : {PHX_IPC_LOOP, PHX_IPC_THREADS}) {
    const Folder folder;
    TestServer server(folder);
    server.options.threading = threading;
    // So slow that there always is another one.
    server.options.hooks.sending_allowed = [](void*, const phx_ipc_message*, void*) {
      usleep(10);
      return 1;
    };
    server.options.hooks.sending_allowed_release = nullptr;
    server.start();
    const auto served = [&](int ended) {
      const int before = server.counted;
      EXPECT_TRUE(eventually([&] { return server.exited == ended; }));
      EXPECT_TRUE(eventually([&] { return server.counted > before + 1000; })) << ended;
    };
    {
      const EndlessPoster poster(folder);
      served(0);
      EXPECT_EQ(phx_ipc_evict(server.server, server.last), PHX_OK);
      EXPECT_TRUE(eventually([&] { return server.exited == 1; }));
    }
    {
      const EndlessPoster poster(folder);
      served(1);
      shutdown(poster.client().socket(), SHUT_RDWR);
      EXPECT_TRUE(eventually([&] { return server.exited == 2; }));
    }
    const EndlessPoster poster(folder);
    served(2);
    server.stop();
    EXPECT_EQ(server.exited, 3);
  }
}

/// A server that is none, with a good page; not `sealed`: in memory that it may shrink.
phx_status connect_to_fake(bool sealed) {
  const Folder folder;
  const std::string path = std::string(folder.path()) + "/fake.sock";
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(listen(listener, 1), 0);
  std::thread fake([&] {
    const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    ConnectRequest request;
    EXPECT_EQ(recv(client, &request, sizeof request, MSG_WAITALL), ssize_t{sizeof request});
    ConnectReply reply;
    reply.geometry = {.request_bytes = 4096,
                      .response_bytes = 4096,
                      .dispatch_bytes = 4096,
                      .request_bulk_bytes = 0,
                      .response_bulk_bytes = 0,
                      .dispatch_bulk_bytes = 0,
                      .buffer_bytes = 0,
                      .message_bytes_max = 1000,
                      .outstanding_max = 1};
    const int memory = memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    EXPECT_EQ(ftruncate(memory, kPageBytes * 16), 0);
    Page page{};
    page.magic = kMagic;
    page.version = kVersion;
    page.struct_bytes = sizeof page;
    EXPECT_EQ(pwrite(memory, &page, sizeof page, 0), ssize_t{sizeof page});
    if (sealed) {
      EXPECT_EQ(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    }
    int pair[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    const int fds[kConnectDescriptors] = {memory, pair[1]};
    EXPECT_TRUE(shm::send_with_descriptors(client, &reply, sizeof reply, fds, kConnectDescriptors));
    for (const int fd : {memory, pair[0], pair[1], client}) close(fd);
  });
  phx_ipc_handle h = 0;
  const phx_status status = phx_ipc_connect(path.c_str(), 1, nullptr, &h);
  if (h != 0) {
    EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  }
  fake.join();
  close(listener);
  return status;
}

TEST(HostileServer, MemoryThatMayShrinkIsRefused) {
  EXPECT_EQ(connect_to_fake(true), PHX_OK);
  EXPECT_EQ(connect_to_fake(false), PHX_VERSION);
}

TEST_F(Hostile, MemoryIsSealed) {
  RawClient client(socket_of(folder), usual());
  ASSERT_TRUE(client.good());
  EXPECT_EQ(ftruncate(client.memory(), 0), -1);
  EXPECT_EQ(ftruncate(client.memory(), 1 << 30), -1);
  EXPECT_EQ(fcntl(client.memory(), F_ADD_SEALS, F_SEAL_WRITE), -1);
  // Holes are allowed, and read as zeroes: rubbish like any other.
  EXPECT_EQ(fallocate(client.memory(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                      static_cast<off_t>(client.bytes())),
            0);
  client.ring();
  (void)phx_ipc_dispatch(server.server, server.last, 1, "event", 5);
}

TEST_F(Hostile, HandshakesThatAreNoneAreAnswered) {
  ConnectRequest version = usual(), magic = usual(), sizes = usual();
  version.version = 2;
  EXPECT_EQ(RawClient(socket_of(folder), version).status(), std::uint32_t{PHX_VERSION});
  magic.magic = 1;
  EXPECT_EQ(RawClient(socket_of(folder), magic).status(), std::uint32_t{PHX_INVALID});
  sizes.request_bytes = sizes.response_bytes = sizes.dispatch_bytes = sizes.buffer_bytes =
      ~std::uint64_t{0};
  sizes.message_bytes_max = sizes.outstanding_max = ~0u;
  std::memset(sizes.program, 'x', sizeof sizes.program);
  const RawClient client(socket_of(folder), sizes);
  ASSERT_TRUE(client.good());
  EXPECT_EQ(client.geometry().request_bytes, 1u << 20);
  EXPECT_EQ(client.geometry().outstanding_max, 64u);
  EXPECT_EQ(client.geometry().buffer_bytes, 16u << 20);
  phx_ipc_client_info info{};
  ASSERT_EQ(phx_ipc_client(server.server, server.last, &info), PHX_OK);
  EXPECT_EQ(std::strlen(info.program), 31u);
}

// Connections that say nothing take places for a second at most, once somebody wants one.
TEST_F(Hostile, SilentConnectionsGiveWay) {
  std::vector<int> silent;
  for (int i = 0; i < 200; ++i) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_of(folder).c_str(), sizeof address.sun_path - 1);
    (void)!connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
    silent.push_back(fd);
  }
  EXPECT_EQ(phx_ipc_call(bystander, kEcho, "", 0, nullptr, 0, nullptr, 5000), PHX_OK);
  const phx_ipc_options options{.struct_bytes = sizeof options, .runtime_directory = folder.path()};
  phx_ipc_handle h = 0;
  EXPECT_TRUE(
      eventually([&] { return phx_ipc_connect("test", kService, &options, &h) == PHX_OK; }));
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  for (const int fd : silent) close(fd);
}

}  // namespace
}  // namespace phalanx::call
