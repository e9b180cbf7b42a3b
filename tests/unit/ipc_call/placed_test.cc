#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "tests/unit/ipc_call/fixture.h"
#include "tests/unit/ipc_call/raw_client.h"

namespace phalanx::call {
namespace {

/// A socket that somebody else made, in the folder of an instance.
int listen_at(const std::string& path, bool blocking = false) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0);
  EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(listen(fd, 16), 0);
  return fd;
}

/// A server on the socket of service "own" of instance "node".
class PlacedServer : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(std::string(folder_.path()) + "/node");
    path_ = std::string(folder_.path()) + "/node/own.sock";
    server_.options.listener = listen_at(path_);
  }
  void start() {
    ASSERT_EQ(phx_ipc_server_create(nullptr, &server_.options, &server_.server), PHX_OK);
    thread_ = std::thread([this] { EXPECT_EQ(phx_ipc_server_run(server_.server), PHX_OK); });
  }
  void TearDown() override {
    if (!thread_.joinable()) return;
    phx_ipc_server_stop(server_.server);
    thread_.join();
    EXPECT_EQ(phx_ipc_server_destroy(server_.server), PHX_OK);
  }
  phx_status try_connect(phx_ipc_handle& handle) {
    const phx_ipc_options options{
        .struct_bytes = sizeof options, .runtime_directory = folder_.path(), .instance = "node"};
    return phx_ipc_connect("own", kService, &options, &handle);
  }
  phx_ipc_handle connect_one() {
    phx_ipc_handle handle = 0;
    EXPECT_EQ(try_connect(handle), PHX_OK);
    return handle;
  }
  phx_ipc_server_info counts() {
    phx_ipc_server_info info{};
    EXPECT_EQ(phx_ipc_server_counts(server_.server, &info), PHX_OK);
    return info;
  }

  Folder folder_;
  TestServer server_{folder_};
  std::string path_;
  std::thread thread_;
};

TEST_F(PlacedServer, ServesAListenerThatItIsGivenAndLeavesItsFileAlone) {
  start();
  const phx_ipc_handle h = connect_one();

  char reply[2];
  std::size_t bytes = 0;
  EXPECT_EQ(phx_ipc_call(h, kEcho, "hi", 2, reply, sizeof reply, &bytes, 5000), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  TearDown();

  EXPECT_EQ(std::filesystem::status(path_).type(), std::filesystem::file_type::socket);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".lock"));
  phx_ipc_handle none = 0;
  EXPECT_EQ(try_connect(none), PHX_NOT_RUNNING) << "closed with the server";
}

TEST_F(PlacedServer, TakesNoListenerThatItCannotServe) {
  const auto made_of = [&](int fd, const char* name) {
    phx_ipc_server_options options = server_.options;
    options.listener = fd;
    return phx_ipc_server_create(name, &options, &server_.server);
  };
  const int blocks = listen_at(path_ + "2", true);
  const int connects = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  EXPECT_EQ(made_of(blocks, nullptr), PHX_INVALID);
  EXPECT_EQ(made_of(connects, nullptr), PHX_INVALID);
  EXPECT_EQ(made_of(9999, nullptr), PHX_INVALID);
  EXPECT_EQ(made_of(server_.options.listener, "named"), PHX_INVALID);
  EXPECT_EQ(made_of(0, nullptr), PHX_INVALID);
  EXPECT_GE(fcntl(server_.options.listener, F_GETFD), 0) << "still the caller's";

  for (const int fd : {blocks, connects, server_.options.listener}) close(fd);
}

TEST_F(PlacedServer, GivesEachClientItsAttachmentOnce) {
  const int memory = memfd_create("attached", MFD_CLOEXEC);
  ASSERT_EQ(write(memory, "shared", 6), 6);
  server_.options.attachment = memory;
  server_.options.broadcast_bytes = 4096;
  start();
  phx_ipc_options options{.struct_bytes = sizeof options,
                          .runtime_directory = folder_.path(),
                          .broadcast = 1,
                          .instance = "node"};
  phx_ipc_handle with_log = 0;
  ASSERT_EQ(phx_ipc_connect("own", kService, &options, &with_log), PHX_OK);

  for (const phx_ipc_handle h : {connect_one(), with_log}) {
    int fd = -1;
    ASSERT_EQ(phx_ipc_attachment(h, &fd), PHX_OK);
    char text[6];
    EXPECT_EQ(pread(fd, text, sizeof text, 0), 6);
    EXPECT_EQ(std::memcmp(text, "shared", 6), 0);
    EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(close(fd), 0);
    EXPECT_EQ(phx_ipc_attachment(h, &fd), PHX_NOT_FOUND);
    EXPECT_EQ(phx_ipc_attachment(h, nullptr), PHX_INVALID);
    EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
    EXPECT_EQ(phx_ipc_attachment(h, &fd), PHX_BAD_HANDLE);
  }
  EXPECT_EQ(close(memory), 0) << "not the server's";
}

TEST_F(PlacedServer, AnAttachmentThatNobodyTookGoesWithItsHandle) {
  const int memory = memfd_create("attached", MFD_CLOEXEC);
  server_.options.attachment = memory;
  start();
  const auto open_ones = [] {
    std::size_t count = 0;
    for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const std::string to = std::filesystem::read_symlink(fd.path(), gone).string();
      if (to.find("memfd:attached") != std::string::npos) ++count;
    }
    return count;
  };

  const phx_ipc_handle h = connect_one();
  EXPECT_EQ(open_ones(), 2u);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);

  EXPECT_EQ(open_ones(), 1u);
  close(memory);
}

TEST_F(PlacedServer, AsksWithTheSocketWhoMayConnect) {
  static std::atomic<uid_t> asked;
  static std::atomic<int> allowed;
  allowed = 0;
  server_.options.hooks.security_valid = [](void*, uid_t, gid_t) { return 1; };
  server_.options.hooks.peer_valid = [](void*, int socket) {
    ucred peer{};
    socklen_t bytes = sizeof peer;
    EXPECT_EQ(getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes), 0);
    asked = peer.uid + 1;
    return allowed.load();
  };
  start();

  phx_ipc_handle h = 0;
  EXPECT_EQ(try_connect(h), PHX_ACCESS);
  EXPECT_EQ(asked, geteuid() + 1);
  allowed = 1;
  EXPECT_EQ(try_connect(h), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

TEST_F(PlacedServer, CountsWhoIsThereAndWhoWasTurnedAwayOrCutOff) {
  server_.options.clients_max = 2;
  start();
  const phx_ipc_handle a = connect_one();
  const phx_ipc_connection of_a = server_.last;
  {
    RawClient liar(path_, {.service = kService});
    ASSERT_TRUE(liar.good());
    phx_ipc_handle late = 0;
    EXPECT_EQ(try_connect(late), PHX_LIMIT);
    EXPECT_EQ(counts().clients, 2u);
    EXPECT_EQ(counts().refused, 1u);
    liar.write(~0u, 1, nullptr, 0);
    EXPECT_TRUE(liar.is_cut_off());
  }
  EXPECT_TRUE(eventually([&] { return counts().broken == 1 && counts().clients == 1; }));
  EXPECT_EQ(counts().evicted, 0u);
  EXPECT_EQ(phx_ipc_evict(server_.server, of_a), PHX_OK);
  EXPECT_TRUE(eventually([&] { return counts().evicted == 1 && counts().clients == 0; }));
  EXPECT_EQ(counts().broken, 1u);

  EXPECT_EQ(phx_ipc_server_counts(server_.server, nullptr), PHX_INVALID);
  EXPECT_EQ(phx_ipc_disconnect(a), PHX_OK);
}

// Nothing is said to a server of somebody who took the place of one.
TEST_F(PlacedServer, OfAnotherUserIsNotBelievedWhereThatIsAskedFor) {
  if (geteuid() != 0) GTEST_SKIP() << "needs a second user";
  const std::string theirs = std::string(folder_.path()) + "/theirs.sock";
  std::filesystem::permissions(folder_.path(), std::filesystem::perms{0777});
  EXPECT_EQ(syscall(SYS_setresuid, -1, 1001, -1), 0);
  const int listener = listen_at(theirs);
  EXPECT_EQ(syscall(SYS_setresuid, -1, 0, -1), 0);
  phx_ipc_options options{.struct_bytes = sizeof options, .connect_timeout_ms = 50};
  phx_ipc_handle h = 0;

  EXPECT_EQ(phx_ipc_connect(theirs.c_str(), kService, &options, &h), PHX_TRY_AGAIN);
  options.own_server = 1;
  EXPECT_EQ(phx_ipc_connect(theirs.c_str(), kService, &options, &h), PHX_ACCESS);

  char heard[256];
  const int first = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  EXPECT_GT(recv(first, heard, sizeof heard, 0), 0);
  const int second = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  EXPECT_EQ(recv(second, heard, sizeof heard, 0), 0) << "it hung up without a word";
  for (const int fd : {first, second, listener}) close(fd);
  start();  // What the other tests have to end.
}

// The reserved places are for root and the server's user, which a test is: it needs another one.
TEST_F(PlacedServer, KeepsPlacesForItsOwnUser) {
  if (geteuid() != 0) GTEST_SKIP() << "needs a second user";
  server_.options.clients_max = 4;
  server_.options.clients_reserved = 1;
  server_.options.clients_per_user_max = 2;
  server_.options.hooks.security_valid = [](void*, uid_t, gid_t) { return 1; };
  start();
  std::filesystem::permissions(folder_.path(), std::filesystem::perms{0755});
  std::filesystem::permissions(path_, std::filesystem::perms{0666});
  std::vector<phx_ipc_handle> open;
  const auto as = [&](uid_t uid) {
    phx_ipc_handle h = 0;
    // The kernel notes the effective user of the thread that connects; seteuid() would change the
    // server's thread, too.
    EXPECT_EQ(syscall(SYS_setresuid, -1, uid, -1), 0);
    const phx_status status = try_connect(h);
    EXPECT_EQ(syscall(SYS_setresuid, -1, 0, -1), 0);
    if (status == PHX_OK) open.push_back(h);
    return status;
  };

  EXPECT_EQ(as(1001), PHX_OK);
  EXPECT_EQ(as(1001), PHX_OK);
  EXPECT_EQ(as(1001), PHX_LIMIT) << "as many as one user may have";
  EXPECT_EQ(as(1002), PHX_OK);
  EXPECT_EQ(as(1003), PHX_LIMIT) << "the last one is reserved";
  EXPECT_EQ(as(0), PHX_OK);
  EXPECT_EQ(as(0), PHX_LIMIT) << "none is left";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(phx_ipc_disconnect(open[0]), PHX_OK);
    open.erase(open.begin());
  }
  EXPECT_TRUE(eventually([&] { return as(0) == PHX_OK; })) << "not bound by the user's share";

  for (const phx_ipc_handle h : open) EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
}

// A loop of somebody else's has other things to do.
TEST_F(PlacedServer, HandlesNoMoreMessagesOfAClientInATurnThanAllowed) {
  struct Watched {
    int fd;
    phx_ipc_ready ready;
    void* data;
    short events;
  };
  static std::vector<Watched> watched;
  watched.clear();
  const auto find = [](int fd) {
    return std::find_if(watched.begin(), watched.end(), [fd](auto& w) { return w.fd == fd; });
  };
  static const auto find_watch = find;
  server_.options.hooks.poll_add = [](void*, int fd, short events, phx_ipc_ready ready, void* d) {
    watched.push_back({fd, ready, d, events});
    return 0;
  };
  server_.options.hooks.poll_modify = [](void*, int fd, short events) {
    find_watch(fd)->events = events;
    return 0;
  };
  server_.options.hooks.poll_destroy = [](void*, int fd) { watched.erase(find_watch(fd)); };
  server_.options.turn_messages_max = 8;
  ASSERT_EQ(phx_ipc_server_create(nullptr, &server_.options, &server_.server), PHX_OK);
  const auto run_ready = [&] {  // True: something was.
    for (const Watched w : std::vector(watched)) {
      pollfd p{.fd = w.fd, .events = w.events, .revents = 0};
      if (poll(&p, 1, 0) != 1) continue;
      w.ready(server_.server, w.fd, p.revents, w.data);
      return true;
    }
    return false;
  };
  std::atomic<phx_ipc_handle> h{0};
  std::thread client([&] { h = connect_one(); });
  EXPECT_TRUE(eventually([&] { return !run_ready() && h != 0; }));
  client.join();
  std::vector<phx_ipc_item> items(20, {.id = kCount, .data = "", .bytes = 0});
  std::size_t accepted = 0;
  ASSERT_EQ(phx_ipc_post_batch(h, items.data(), items.size(), &accepted), PHX_OK);

  for (const int handled : {8, 16, 20}) {
    EXPECT_TRUE(run_ready());
    EXPECT_EQ(server_.counted, handled);
  }

  // What a client left when it went is no reason to keep the others waiting, either.
  ASSERT_EQ(phx_ipc_post_batch(h, items.data(), items.size(), &accepted), PHX_OK);
  EXPECT_EQ(phx_ipc_disconnect(h), PHX_OK);
  for (const int handled : {28, 36, 40}) {
    EXPECT_EQ(server_.exited, 0);
    EXPECT_TRUE(run_ready());
    EXPECT_EQ(server_.counted, handled);
  }
  EXPECT_TRUE(eventually([&] { return !run_ready() && server_.exited == 1; }));
  EXPECT_EQ(phx_ipc_server_destroy(server_.server), PHX_OK);
}

}  // namespace
}  // namespace phalanx::call
