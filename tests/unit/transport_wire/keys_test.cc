#include "transport/wire/keys.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <vector>

#include "ipc/base/bytes.h"
#include "tests/unit/transport_wire/samples.h"

namespace phalanx::wire {
namespace {

ClusterKey sample_key() { return insecure_cluster_key("sample"); }

std::vector<std::uint8_t> bytes_of(const Secret& secret) {
  return {secret.bytes().begin(), secret.bytes().end()};
}

/// The library's own HKDF, asked for the same 36 bytes.
std::vector<std::uint8_t> openssl_hkdf(const ClusterKey& key, std::vector<std::uint8_t> info) {
  std::vector<std::uint8_t> secret = bytes_of(key.secret);
  char digest[] = "SHA256";
  char salt[] = "phalanx v1";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, sizeof salt - 1),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
      OSSL_PARAM_construct_end()};
  EVP_KDF* kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
  std::vector<std::uint8_t> out(36);
  EXPECT_EQ(EVP_KDF_derive(context, out.data(), out.size(), params), 1);
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  return out;
}

TEST(Keys, AreThoseOfTheStandardDerivation) {
  const Member sender{0x01020304, samples::boot(64)};
  std::vector<std::uint8_t> info = {'b', 'o', 'o', 't', 4, 3, 2, 1};
  info.insert(info.end(), sender.boot.bytes.begin(), sender.boot.bytes.end());

  const DerivedKey key = derive_boot_key(sample_key(), sender);

  std::vector<std::uint8_t> expected = openssl_hkdf(sample_key(), info);
  const std::uint32_t tag = load_le<std::uint32_t>(std::as_bytes(std::span(expected)).data() + 32);
  expected.resize(32);
  EXPECT_EQ(bytes_of(key.secret), expected);
  EXPECT_EQ(key.tag, tag);
}

TEST(Keys, DifferWithEverythingTheyAreMadeOf) {
  const ClusterKey cluster = sample_key();
  const ViewId view = samples::view(5);
  const Member sender{1, samples::boot(1)};
  std::set<std::vector<std::uint8_t>> seen;
  const auto is_new = [&](const DerivedKey& key) {
    return seen.insert(bytes_of(key.secret)).second;
  };

  EXPECT_TRUE(is_new(derive_view_key(cluster, view, sender)));
  EXPECT_TRUE(is_new(derive_boot_key(cluster, sender)));
  EXPECT_TRUE(is_new(derive_view_key(cluster, samples::view(6), sender)));
  EXPECT_TRUE(is_new(derive_view_key(cluster, {5, 2, view.boot}, sender)));
  EXPECT_TRUE(is_new(derive_view_key(cluster, {5, 1, samples::boot(9)}, sender)));
  EXPECT_TRUE(is_new(derive_view_key(cluster, view, {2, sender.boot})));
  EXPECT_TRUE(is_new(derive_view_key(cluster, view, {1, samples::boot(2)})));
  EXPECT_TRUE(is_new(derive_view_key(insecure_cluster_key("other"), view, sender)));
  EXPECT_FALSE(is_new(derive_view_key(cluster, view, sender)));
}

TEST(KeyFile, ComesBackAsItWasWritten) {
  auto made = new_cluster_key(42);
  ASSERT_TRUE(made);

  const auto read = parse_cluster_key(format_cluster_key(*made), "key");

  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, 42U);
  EXPECT_EQ(bytes_of(read->secret), bytes_of(made->secret));
}

TEST(KeyFile, IsRefusedWithPathAndLineWhenItIsNotOne) {
  const std::string hex(64, 'a');
  struct Case {
    std::string text;
    std::string place;
  };
  for (const Case& c : std::vector<Case>{
           {"", "f:0"},
           {"something else\n", "f:1"},
           {"phalanx-cluster-key 2\nid 1\nkey " + hex, "f:1"},
           {"phalanx-cluster-key 1\nkey " + hex, "f:2"},
           {"phalanx-cluster-key 1\nid 0\nkey " + hex, "f:2"},
           {"phalanx-cluster-key 1\nid 4294967296\nkey " + hex, "f:2"},
           {"phalanx-cluster-key 1\nid 1\n# why\nkey " + hex.substr(1), "f:4"},
           {"phalanx-cluster-key 1\nid 1\nkey " + hex.substr(1) + "g", "f:3"},
           {"phalanx-cluster-key 1\nid 1\nkey " + hex + "\nid 2\n", "f:4"},
       }) {
    const auto key = parse_cluster_key(c.text, "f");
    ASSERT_FALSE(key) << c.text;
    EXPECT_EQ(key.error().code, ExitCode::Usage);
    EXPECT_NE(key.error().attempted.find(c.place), std::string::npos) << key.error().text();
  }
}

class KeyFileOnDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    const int fd = mkstemp(path_.data());
    ASSERT_GE(fd, 0);
    close(fd);
    std::ofstream(path_) << format_cluster_key(sample_key());
  }
  void TearDown() override { unlink(path_.c_str()); }

  std::string path_ = "/tmp/phalanx-key-test-XXXXXX";
};

TEST_F(KeyFileOnDisk, IsReadWhenOnlyItsOwnerMay) {
  ASSERT_EQ(chmod(path_.c_str(), 0400), 0);

  const auto key = load_cluster_key(path_);

  ASSERT_TRUE(key) << key.error().text();
  EXPECT_EQ(bytes_of(key->secret), bytes_of(sample_key().secret));
}

TEST_F(KeyFileOnDisk, IsRefusedWhenOthersMayUseIt) {
  for (const mode_t mode : {0640U, 0604U, 0620U, 0660U}) {
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
    const auto key = load_cluster_key(path_);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().code, ExitCode::Usage);
    EXPECT_NE(key.error().remedy.find("chmod 600"), std::string::npos);
  }
}

TEST_F(KeyFileOnDisk, IsRefusedWhenItIsMissingOrADirectory) {
  EXPECT_FALSE(load_cluster_key(path_ + ".none"));
  EXPECT_FALSE(load_cluster_key("/tmp"));
}

TEST_F(KeyFileOnDisk, IsRefusedWhenItIsHuge) {
  std::ofstream(path_, std::ios::app) << std::string(100'000, '#') << '\n';

  const auto key = load_cluster_key(path_);

  ASSERT_FALSE(key);
  EXPECT_NE(key.error().text().find("4096"), std::string::npos);
}

}  // namespace
}  // namespace phalanx::wire
