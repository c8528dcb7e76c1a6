#include "http/ranges.h"

#include <gmock/gmock.h>

namespace faas::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = Wanted::Kind;

constexpr std::uint64_t kSize = 11;

// The parts as Content-Range would say them.
std::vector<std::string> parts(std::string_view value, std::uint64_t size = kSize) {
  const auto wanted = read_range(value, size);
  std::vector<std::string> said;
  for (const auto& part : wanted.parts) said.push_back(content_range(part, size));
  return said;
}

Kind kind(std::string_view value, std::uint64_t size = kSize) {
  return read_range(value, size).kind;
}

TEST(Ranges, AreFromToFromAndTheLast) {
  EXPECT_THAT(parts("bytes=0-4"), ElementsAre("bytes 0-4/11"));
  EXPECT_THAT(parts("bytes=6-"), ElementsAre("bytes 6-10/11"));
  EXPECT_THAT(parts("bytes=-5"), ElementsAre("bytes 6-10/11"));
  EXPECT_THAT(parts("Bytes= 0-0 , -1,,"), ElementsAre("bytes 0-0/11", "bytes 10-10/11"));
}

TEST(Ranges, EndWhereTheContentEnds) {
  EXPECT_THAT(parts("bytes=0-100"), ElementsAre("bytes 0-10/11"));
  EXPECT_THAT(parts("bytes=-100"), ElementsAre("bytes 0-10/11"));
  EXPECT_THAT(parts("bytes=5-99999999999999999999999"), ElementsAre("bytes 5-10/11"));
}

TEST(Ranges, OutsideAreLeftOutUnlessAllAre) {
  EXPECT_THAT(parts("bytes=0-1,99-"), ElementsAre("bytes 0-1/11"));
  EXPECT_EQ(kind("bytes=99-"), Kind::none_inside);
  EXPECT_EQ(kind("bytes=11-11"), Kind::none_inside);
  EXPECT_EQ(kind("bytes=-0"), Kind::none_inside);
}

TEST(Ranges, MalformedOnesAndOtherUnitsAreRefused) {
  for (const auto* value : {"bytes=5-2", "foo", "lines=0-4", "bytes=x-", "bytes=1", "bytes=-", "bytes=--5",
                            "bytes=+1-2", "bytes=1-2x", "bytes", "0-4", "bytes=0-1,x"}) {
    EXPECT_EQ(kind(value), Kind::malformed) << value;
  }
}

TEST(Ranges, ThatAreNoneOrMoreThanTheContentAreTheWhole) {
  for (const auto* value : {"", "bytes=", "bytes=,", "bytes=0-10,0-0", "bytes=0-,0-,0-"}) {
    EXPECT_EQ(kind(value), Kind::whole) << value;
    EXPECT_THAT(parts(value), IsEmpty());
  }
  EXPECT_EQ(kind("bytes=0-4", 0), Kind::whole);
  EXPECT_EQ(kind("bytes=0-9223372036854775806,0-9223372036854775806,0-9223372036854775806,-1", ~0ULL),
            Kind::whole);
}

TEST(Ranges, AreLimited) {
  std::string value = "bytes=0-0";
  for (std::size_t i = 1; i < kRangesMax; ++i) value += ",0-0";
  EXPECT_EQ(read_range(value, 1000).parts.size(), kRangesMax);
  EXPECT_EQ(kind(value + ",0-0", 1000), Kind::too_many);
}

}  // namespace
}  // namespace faas::http
