// Tokens and key sets that strangers write.
#include <gmock/gmock.h>

#include "jwt/key_set.h"
#include "jwt/sign_in_test.h"
#include "jwt/token.h"

namespace faas::jwt {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string with_header(std::string_view header) {
  return base64url(header) + "." + base64url("{}") + "." + base64url("signature");
}
std::string refusal(std::string_view token) {
  const auto parsed = parse_token(token);
  return parsed ? "accepted" : parsed.error().text;
}

TEST(Token, IsTakenApart) {
  const auto text = with_header(R"({"typ":"JWT","alg":"ES256","kid":"a/b c"})");
  const auto token = parse_token(text);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->algorithm, Algorithm::es256);
  EXPECT_EQ(token->key_id, "a/b c");
  EXPECT_EQ(token->payload, "{}");
  EXPECT_EQ(token->signature, "signature");
  EXPECT_EQ(token->signed_part, text.substr(0, text.rfind('.')));
}

TEST(Token, HasThreePartsOfBase64Url) {
  const auto good = with_header(R"({"alg":"ES256","kid":"k"})");
  ASSERT_EQ(refusal(good), "accepted");
  for (const auto* wrong : {"", ".", "..", "a.b", "....", "Basic dTpw", "a.b.c.d"}) {
    EXPECT_THAT(refusal(wrong), HasSubstr("token is malformed")) << wrong;
  }
  EXPECT_THAT(refusal(good + "="), HasSubstr("base64url"));
  EXPECT_THAT(refusal(" " + good), HasSubstr("base64url"));
  EXPECT_THAT(refusal(good + "\n"), HasSubstr("base64url"));
  EXPECT_THAT(refusal(good.substr(0, good.rfind('.') + 1)), HasSubstr("signature is empty"));
  const auto dot = good.find('.');
  EXPECT_THAT(refusal(good.substr(0, dot) + ".!!." + "AA"), HasSubstr("claims are not base64url"));
}

TEST(Token, HasABoundedSizeAndDepth) {
  EXPECT_EQ(parse_token(std::string(kTokenBytesMax + 1, 'a')).error().code, Code::too_large);
  EXPECT_THAT(refusal(with_header(std::string(200, '['))), HasSubstr("nested deeper than 16"));
  std::string deep = R"({"alg":"ES256","kid":"k","x":)";
  for (int i = 0; i < 100; ++i) deep += R"({"x":)";
  EXPECT_THAT(refusal(with_header(deep)), HasSubstr("nested deeper than 16"));
  EXPECT_THAT(refusal(with_header(R"({"alg":"ES256","kid":")" + std::string(257, 'k') + R"("})")),
              HasSubstr("limit is 256"));
}

TEST(Token, SaysWhichHeaderItNeeds) {
  EXPECT_THAT(refusal(with_header("[]")), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal(with_header("{")), HasSubstr("not JSON"));
  EXPECT_THAT(refusal(with_header(R"({"kid":"k"})")), HasSubstr("alg is missing"));
  EXPECT_THAT(refusal(with_header(R"({"alg":256,"kid":"k"})")), HasSubstr("alg is missing"));
  EXPECT_THAT(refusal(with_header(R"({"alg":"none","kid":"k"})")), HasSubstr("not allowed"));
  EXPECT_THAT(refusal(with_header(R"({"alg":"ES256"})")), HasSubstr("kid is missing"));
  EXPECT_THAT(refusal(with_header(R"({"alg":"ES256","kid":""})")), HasSubstr("kid is missing"));
  EXPECT_THAT(refusal(with_header(R"({"alg":"ES256","kid":1})")), HasSubstr("kid is missing"));
  EXPECT_THAT(refusal(with_header(R"({"alg":"ES256","kid":["k"]})")), HasSubstr("kid is missing"));
  EXPECT_THAT(refusal(with_header(R"({"alg":"ES256","kid":"k","crit":["b64"],"b64":false})")),
              HasSubstr("crit"));
  EXPECT_THAT(refusal(with_header(R"({"alg":"none","alg":"ES256","kid":"k"})")), HasSubstr("occurs twice"));
}

TEST(KeySet, PassesOverWhatItHasNoUseFor) {
  const SigningKey key("Ed25519");
  const SigningKey p256("P-256");
  const SigningKey small("RSA", 1024);
  const auto set = KeySet::parse(fmt::format(
      R"({{"keys":[{},{},{},{},{},{},{},{},1,{{"kty":"oct","kid":"h","k":"AAAA"}},{{"kty":"new","kid":"n"}},)"
      R"({{"kty":"OKP","crv":"X25519","kid":"x","x":"AA"}},{{"kty":"EC","crv":"secp256k1","kid":"b"}},{{}}],"more":1}})",
      key.jwk("good"), key.jwk(""), key.jwk("enc", R"("use":"enc",)"),
      key.jwk("ops", R"("key_ops":["sign"],)"), key.jwk("alg", R"("alg":"HS256",)"),
      p256.jwk("fit", R"("alg":"ES384",)"), small.jwk("small"),
      p256.jwk("both", R"("use":"sig","alg":"ES256","key_ops":["verify"],)")));
  ASSERT_TRUE(set) << set.error().text;
  ASSERT_THAT(set->keys(), SizeIs(2));
  EXPECT_EQ(set->keys()[0].id, "good");
  EXPECT_EQ(set->keys()[1].id, "both");
  EXPECT_THAT(set->passed_over(), SizeIs(12));
  EXPECT_THAT(set->passed_over()[5], HasSubstr("fewer than 2048 bits"));
}

TEST(KeySet, WithoutAKeyOfUseIsNone) {
  for (const auto* wrong :
       {"", "[]", "{}", R"({"keys":{}})", R"({"keys":[]})", R"({"keys":[{"kty":"oct","kid":"a","k":"AA"}]})",
        R"({"keys":[],"keys":[]})", "<html>"}) {
    EXPECT_FALSE(KeySet::parse(wrong)) << wrong;
  }
  EXPECT_EQ(KeySet::parse(std::string(KeySet::kBytesMax + 1, ' ')).error().code, Code::too_large);
  std::string many = R"({"keys":[{})";
  for (int i = 0; i < 64; ++i) many += ",{}";
  EXPECT_THAT(KeySet::parse(many + "]}").error().text, HasSubstr("the limit is 64"));
  EXPECT_THAT(KeySet::parse(R"({"keys":)" + std::string(1000, '[')).error().text, HasSubstr("nested deeper"));
}

TEST(KeySet, UsesAKeyOnlyForItsOwnAlgorithm) {
  const SigningKey rsa("RSA");
  const auto set = KeySet::parse(R"({"keys":[)" + rsa.jwk("k", R"("alg":"PS256",)") + "]}");
  const auto text = rsa.token(R"({"alg":"RS256","kid":"k"})", "{}", EVP_sha256());
  EXPECT_EQ(set->verify(*parse_token(text)), KeySet::Answer::bad);
  const auto pss = rsa.token(R"({"alg":"PS256","kid":"k"})", "{}", EVP_sha256(), true);
  EXPECT_EQ(set->verify(*parse_token(pss)), KeySet::Answer::good);
}

TEST(KeySet, OfTwoKeysWithOneIdEitherMaySign) {
  const SigningKey one("Ed25519");
  const SigningKey two("P-256");
  const auto set = KeySet::parse(fmt::format(R"({{"keys":[{},{}]}})", one.jwk("k"), two.jwk("k")));
  EXPECT_EQ(set->verify(*parse_token(one.token(R"({"alg":"EdDSA","kid":"k"})", "{}", nullptr))),
            KeySet::Answer::good);
  EXPECT_EQ(set->verify(*parse_token(two.token(R"({"alg":"ES256","kid":"k"})", "{}", EVP_sha256()))),
            KeySet::Answer::good);
}

}  // namespace
}  // namespace faas::jwt
