#include "provider/secret_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace faas::provider {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SecretStoreTest : public testing::Test {
 protected:
  SecretStoreTest() {
    char name[] = "/tmp/faas-secrets-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~SecretStoreTest() override { std::filesystem::remove_all(folder_); }
  SecretStore opened() const { return *SecretStore::open(folder_ + "/secrets"); }
  static unsigned mode(const std::string& path) {
    struct stat found {};
    EXPECT_EQ(::stat(path.c_str(), &found), 0) << path;
    return found.st_mode & 07777U;
  }
  std::string folder_;
};

SecretSpec secret(std::string name, std::string bytes, std::string name_space = "ns") {
  return {.name = {.name = std::move(name), .name_space = std::move(name_space)}, .bytes = std::move(bytes)};
}

TEST_F(SecretStoreTest, BytesComeBackAsTheyWere) {
  const std::string bytes("a\0b\n\xff\r\n", 7);
  ASSERT_TRUE(opened().create(secret("s", bytes)));
  EXPECT_EQ(*opened().read({"s", "ns"}), bytes);
  EXPECT_EQ(opened().create(secret("s", "x")).error().code, Code::already_exists);
  ASSERT_TRUE(opened().replace(secret("s", "new")));
  EXPECT_EQ(*opened().read({"s", "ns"}), "new");
}

TEST_F(SecretStoreTest, FilesAndFoldersAreForUsAlone) {
  ASSERT_TRUE(opened().create(secret("s", "x")));
  ASSERT_TRUE(opened().replace(secret("s", "y")));
  EXPECT_EQ(mode(folder_ + "/secrets"), 0700U);
  EXPECT_EQ(mode(folder_ + "/secrets/ns"), 0700U);
  EXPECT_EQ(mode(folder_ + "/secrets/ns/s"), 0600U);
}

TEST_F(SecretStoreTest, NamespacesAreApartAndNamesOrdered) {
  const auto store = opened();
  for (const auto* name : {"b", "a", ".c"}) ASSERT_TRUE(store.create(secret(name, "x")));
  ASSERT_TRUE(store.create(secret("a", "other's", "other")));
  EXPECT_THAT(*store.list("ns"),
              ElementsAre(SecretName{".c", "ns"}, SecretName{"a", "ns"}, SecretName{"b", "ns"}));
  EXPECT_EQ(*store.read({"a", "other"}), "other's");
  EXPECT_THAT(*store.list("none"), IsEmpty());
  ASSERT_TRUE(store.remove({"a", "other"}));
  EXPECT_TRUE(store.contains({"a", "ns"}));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/secrets/other")) << "its last secret is gone";
}

TEST_F(SecretStoreTest, AnUnknownOneIsNotFound) {
  const auto store = opened();
  EXPECT_EQ(store.replace(secret("s", "x")).error().code, Code::not_found);
  EXPECT_EQ(store.remove({"s", "ns"}).error().code, Code::not_found);
  EXPECT_EQ(store.read({"s", "ns"}).error().code, Code::not_found);
  EXPECT_FALSE(store.contains({"s", "ns"}));
}

TEST_F(SecretStoreTest, WhatAKilledGatewayLeftHalfWrittenIsNoSecret) {
  ASSERT_TRUE(opened().create(secret("s", "whole")));
  std::ofstream(folder_ + "/secrets/ns/s~") << "ha";
  std::ofstream(folder_ + "/secrets/ns/t~") << "lf";
  EXPECT_THAT(*opened().list("ns"), ElementsAre(SecretName{"s", "ns"}));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/secrets/ns/t~"));
  EXPECT_EQ(*opened().read({"s", "ns"}), "whole");
}

}  // namespace
}  // namespace faas::provider
