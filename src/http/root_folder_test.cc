#include "http/root_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "http/listing.h"

namespace faas::http {
namespace {

namespace fs = std::filesystem;
using Kind = Found::Kind;
using Links = RootFolder::Links;

// A site, and a secret beside it.
class RootFolderTest : public ::testing::TestWithParam<Links> {
 protected:
  RootFolderTest() {
    char name[] = "/tmp/faas-root-XXXXXX";
    top_ = ::mkdtemp(name);
    fs::create_directories(site() / "sub/deep");
    write(site() / "a.txt", "inside");
    write(site() / "sub/b.txt", "below");
    write(top_ / "secret", "secret");
    fs::create_symlink("../../secret", site() / "sub/out");
    fs::create_symlink(top_ / "secret", site() / "absolute");
    fs::create_symlink("..", site() / "up");
    fs::create_symlink("../a.txt", site() / "sub/in");
    fs::create_symlink("sub", site() / "folder");
    fs::create_symlink("loop", site() / "loop");
  }
  ~RootFolderTest() override { fs::remove_all(top_); }

  [[nodiscard]] fs::path site() const { return top_ / "site"; }
  [[nodiscard]] RootFolder root() const { return RootFolder(site(), GetParam()); }
  static void write(const fs::path& path, std::string_view text) { std::ofstream(path) << text; }
  static std::string text_of(const Found& found) {
    char text[64];
    const auto n = ::read(found.fd.get(), text, sizeof text);
    return n < 0 ? "unreadable" : std::string(text, static_cast<std::size_t>(n));
  }

  fs::path top_;
};

TEST_P(RootFolderTest, OpensFilesAndFolders) {
  auto folder = root();
  const auto file = folder.open("sub/b.txt");
  EXPECT_EQ(file.kind, Kind::file);
  EXPECT_EQ(file.size, 5U);
  EXPECT_EQ(text_of(file), "below");
  EXPECT_EQ(folder.open("").kind, Kind::folder);
  EXPECT_EQ(folder.open("sub/deep").kind, Kind::folder);
  EXPECT_EQ(folder.open("missing").kind, Kind::missing);
  EXPECT_EQ(folder.open("a.txt/x").kind, Kind::missing);
  EXPECT_EQ(folder.open(std::string(5000, 'x')).kind, Kind::missing);
}

TEST_P(RootFolderTest, NeverLeavesTheRoot) {
  auto folder = root();
  for (const auto* name : {"sub/out", "absolute", "up", "up/secret", "folder/out", "loop", "loop/x"}) {
    EXPECT_EQ(folder.open(name).kind, Kind::missing) << name;
  }
  fs::create_symlink("/proc/self/exe", site() / "magic");
  EXPECT_EQ(folder.open("magic").kind, Kind::missing);
}

TEST_P(RootFolderTest, FollowsLinksThatStayInsideWhereTheKernelCanTell) {
  auto folder = root();
  const bool follows = GetParam() == Links::that_stay;
  EXPECT_EQ(folder.open("sub/in").kind, follows ? Kind::file : Kind::missing);
  EXPECT_EQ(folder.open("folder/b.txt").kind, follows ? Kind::file : Kind::missing);
}

TEST_P(RootFolderTest, OpensNothingButFilesAndFoldersAndWaitsForNobody) {
  ASSERT_EQ(::mkfifo((site() / "pipe").c_str(), 0600), 0);
  auto folder = root();
  EXPECT_EQ(folder.open("pipe").kind, Kind::forbidden);
}

TEST_P(RootFolderTest, ServesItsFolderUnderAnyNameAndFindsOneThatComesLater) {
  auto folder = root();
  EXPECT_EQ(folder.open("a.txt").kind, Kind::file);
  fs::rename(site(), top_ / "moved");
  EXPECT_EQ(folder.open("a.txt").kind, Kind::file) << "the folder was opened once";
  RootFolder later(site(), GetParam());
  EXPECT_FALSE(later.exists());
  EXPECT_EQ(later.open("a.txt").kind, Kind::missing);
  fs::create_directories(site());
  write(site() / "a.txt", "new");
  EXPECT_EQ(text_of(later.open("a.txt")), "new");
}

TEST_P(RootFolderTest, ListsNamesByTheirBytesFoldersWithASlash) {
  write(site() / "sub-x", "");
  write(site() / ".hidden", "");
  auto folder = root();
  auto found = folder.open("");
  const auto names = list_folder(std::move(found.fd));
  ASSERT_TRUE(names);
  const std::vector<std::string> wanted{".hidden", "a.txt", "absolute", "folder",
                                        "loop",    "sub/",  "sub-x",    "up"};
  EXPECT_EQ(*names, wanted);
  auto again = folder.open("");
  EXPECT_EQ(list_folder(std::move(again.fd), wanted.size() - 1).error().code, Code::too_large);
}

INSTANTIATE_TEST_SUITE_P(Both, RootFolderTest, ::testing::Values(Links::that_stay, Links::none),
                         [](const auto& way) { return way.param == Links::none ? "BySteps" : "ByKernel"; });

TEST(InsideName, IsWhatAPathMeansAndEndsAtTheRoot) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"/", ""},
      {"", ""},
      {"/a/b", "a/b"},
      {"/x/..//a/./b/", "a/b"},
      {"/../../etc/passwd", "etc/passwd"},
      {"a/../..", ""},
      {"/a/...", "a/..."},
      {"/..a/b..", "..a/b.."},
  };
  for (const auto& [path, name] : cases) EXPECT_EQ(inside_name(path), name) << path;
}

TEST(ListingLine, NoNameEndsTheLinkOrItsText) {
  EXPECT_EQ(listing_line("a b/"), "<a href=\"a%20b/\">a b/</a>\n");
  EXPECT_EQ(listing_line("<b>&\"q'.txt"),
            "<a href=\"%3Cb%3E%26%22q%27.txt\">&lt;b&gt;&amp;&#34;q&#39;.txt</a>\n");
  EXPECT_EQ(listing_line("javascript:x"), "<a href=\"./javascript:x\">javascript:x</a>\n");
  EXPECT_EQ(listing_line("\\\\host?#%"), "<a href=\"%5C%5Chost%3F%23%25\">\\\\host?#%</a>\n");
}

}  // namespace
}  // namespace faas::http
