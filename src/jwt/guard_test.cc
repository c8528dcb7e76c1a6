#include "jwt/guard.h"

#include <gmock/gmock.h>

#include "jwt/sign_in_test.h"

namespace faas::jwt {
namespace {

using ::testing::HasSubstr;
using Kind = Judgement::Kind;

constexpr UnixSeconds kNow = 1'700'000'000;
constexpr std::string_view kIssuer = "https://issuer.example";

// Keys are made once: an RSA key takes a while.
struct Issuer {
  SigningKey rsa{"RSA"};
  SigningKey p256{"P-256"};
  SigningKey p384{"P-384"};
  SigningKey p521{"P-521"};
  SigningKey ed{"Ed25519"};
  [[nodiscard]] std::string key_set() const {
    return fmt::format(R"({{"keys":[{},{},{},{},{}]}})", rsa.jwk("rsa"), p256.jwk("p256"), p384.jwk("p384"),
                       p521.jwk("p521"), ed.jwk("ed"));
  }
};
const Issuer& issuer() {
  static const Issuer made;
  return made;
}

Guard make_guard() {
  Guard guard("openfaas-fn:env");
  guard.trust(std::string(kIssuer), KeySet::parse(issuer().key_set()).value());
  return guard;
}

std::string claims(std::string_view more = R"("function":{"permissions":["*"]})") {
  return fmt::format(R"({{"iss":"{0}","aud":"{0}",{1}}})", kIssuer, more);
}

std::string header(std::string_view alg, std::string_view kid, std::string_view more = {}) {
  return fmt::format(R"({{"alg":"{}",{}"kid":"{}"}})", alg, more, kid);
}

// Signed with Ed25519.
std::string signed_token(std::string_view with_claims) {
  return issuer().ed.token(header("EdDSA", "ed"), with_claims, nullptr);
}

Judgement judge(std::string_view token) {
  auto guard = make_guard();
  return guard.judge(token, kNow);
}

TEST(Guard, AdmitsWhatAKnownKeyHasSigned) {
  struct Row {
    const SigningKey& key;
    std::string_view alg;
    std::string_view kid;
    const EVP_MD* digest;
    bool pss;
  };
  const auto& keys = issuer();
  auto guard = make_guard();
  for (const auto& row :
       {Row{keys.rsa, "RS256", "rsa", EVP_sha256(), false},
        Row{keys.rsa, "RS384", "rsa", EVP_sha384(), false},
        Row{keys.rsa, "RS512", "rsa", EVP_sha512(), false}, Row{keys.rsa, "PS256", "rsa", EVP_sha256(), true},
        Row{keys.rsa, "PS384", "rsa", EVP_sha384(), true}, Row{keys.rsa, "PS512", "rsa", EVP_sha512(), true},
        Row{keys.p256, "ES256", "p256", EVP_sha256(), false},
        Row{keys.p384, "ES384", "p384", EVP_sha384(), false},
        Row{keys.p521, "ES512", "p521", EVP_sha512(), false}, Row{keys.ed, "EdDSA", "ed", nullptr, false}}) {
    auto token = row.key.token(header(row.alg, row.kid), claims(), row.digest, row.pss);
    EXPECT_EQ(guard.judge(token, kNow).kind, Kind::admitted) << row.alg;
    // Any other payload or signature is not what was signed.
    const auto first = token.find('.');
    const auto last = token.rfind('.');
    auto other = token.substr(0, first + 1) + base64url(claims(R"("x":1)")) + token.substr(last);
    EXPECT_EQ(guard.judge(other, kNow).text, "token signature is invalid") << row.alg;
    token[last + 3] = token[last + 3] == 'A' ? 'B' : 'A';
    EXPECT_EQ(guard.judge(token, kNow).text, "token signature is invalid") << row.alg;
  }
}

TEST(Guard, ChecksTheSignatureOfATokenOnce) {
  auto guard = make_guard();
  const auto token = signed_token(claims());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(guard.judge(token, kNow).kind, Kind::admitted);
  EXPECT_EQ(guard.signatures_checked(), 1U);
  // The same keys again change nothing; others mean that nothing is known any more.
  guard.trust(std::string(kIssuer), KeySet::parse(issuer().key_set()).value());
  EXPECT_EQ(guard.judge(token, kNow).kind, Kind::admitted);
  EXPECT_EQ(guard.signatures_checked(), 1U);
  guard.trust(std::string(kIssuer),
              KeySet::parse(R"({"keys":[)" + SigningKey("Ed25519").jwk("ed") + "]}").value());
  EXPECT_EQ(guard.judge(token, kNow).kind, Kind::unauthenticated);
  EXPECT_EQ(guard.signatures_checked(), 2U);
}

TEST(Guard, KnowsThatTimePassesForATokenItHasSeen) {
  auto guard = make_guard();
  const auto token =
      signed_token(claims(R"("function":{"permissions":["*"]},"nbf":1700000000,"exp":1700000060)"));
  EXPECT_THAT(guard.judge(token, kNow - 2).text, HasSubstr("not valid yet"));
  EXPECT_EQ(guard.judge(token, kNow).kind, Kind::admitted);
  EXPECT_EQ(guard.judge(token, kNow + 60).kind, Kind::admitted);
  EXPECT_EQ(guard.judge(token, kNow + 62).text, "token has invalid claims: token is expired");
  EXPECT_EQ(guard.judge(token, kNow + 62).kind, Kind::unauthenticated);
  EXPECT_EQ(guard.judge(token, kNow).kind, Kind::admitted) << "a clock that was set back";
}

TEST(Guard, KeepsBadTokensAndStrangersOut) {
  auto guard = make_guard();
  EXPECT_EQ(Guard("a:b").judge(signed_token(claims()), kNow).kind, Kind::unknown_key) << "no keys yet";
  EXPECT_EQ(guard.judge(issuer().ed.token(header("EdDSA", "other"), claims(), nullptr), kNow).kind,
            Kind::unknown_key);
  for (const auto* path : {"../ed", "/etc/passwd", "ed\\u0000", "'; drop", "%65d", "ED"}) {
    EXPECT_EQ(guard.judge(issuer().ed.token(header("EdDSA", path), claims(), nullptr), kNow).kind,
              Kind::unknown_key)
        << path;
  }
  EXPECT_EQ(guard.judge(SigningKey("Ed25519").token(header("EdDSA", "ed"), claims(), nullptr), kNow).text,
            "token signature is invalid");
}

TEST(Guard, LetsNoAlgorithmMeetAnotherKindOfKey) {
  auto guard = make_guard();
  for (const auto* alg : {"none", "None", "HS256", "HS512", "", "RS256\\u0000"}) {
    const auto token = issuer().rsa.token(header(alg, "rsa"), claims(), EVP_sha256());
    EXPECT_THAT(guard.judge(token, kNow).text, HasSubstr("alg")) << alg;
  }
  EXPECT_EQ(guard.judge(issuer().rsa.token(header("ES256", "rsa"), claims(), EVP_sha256()), kNow).text,
            "token signature is invalid");
  EXPECT_EQ(guard.judge(issuer().rsa.token(header("RS256", "p256"), claims(), EVP_sha256()), kNow).text,
            "token signature is invalid");
  EXPECT_EQ(guard.judge(issuer().p256.token(header("ES384", "p256"), claims(), EVP_sha384()), kNow).text,
            "token signature is invalid");
  EXPECT_EQ(guard.judge(issuer().rsa.token(header("RS256", "rsa"), claims(), EVP_sha256(), true), kNow).text,
            "token signature is invalid")
      << "PSS where PKCS#1 was announced";
}

TEST(Guard, TakesNoKeyFromAToken) {
  const SigningKey own("Ed25519");
  const auto brought = fmt::format(
      R"("jwk":{},"jku":"http://127.0.0.1:1/","x5u":"http://127.0.0.1:1/","x5c":["AA"],)", own.jwk("ed"));
  EXPECT_EQ(judge(own.token(header("EdDSA", "ed", brought), claims(), nullptr)).text,
            "token signature is invalid");
  EXPECT_EQ(judge(issuer().ed.token(header("EdDSA", "ed", brought), claims(), nullptr)).kind, Kind::admitted)
      << "they are ignored";
}

TEST(Guard, AsksForIssuerAndAudience) {
  const auto text = [](std::string_view claims_text) { return judge(signed_token(claims_text)).text; };
  const std::string may = R"("function":{"permissions":["*"]})";
  const std::string iss = R"("iss":"https://issuer.example")";
  EXPECT_THAT(text("{" + may + R"(,"aud":"https://issuer.example"})"), HasSubstr("invalid issuer"));
  EXPECT_THAT(text(R"({"iss":"https://issuer.example.evil","aud":"https://issuer.example"})"),
              HasSubstr("invalid issuer"));
  EXPECT_THAT(text(R"({"iss":"","aud":""})"), HasSubstr("invalid issuer"));
  EXPECT_THAT(text("{" + iss + "," + may + "}"), HasSubstr("invalid audience"));
  EXPECT_THAT(text("{" + iss + R"(,"aud":[],)" + may + "}"), HasSubstr("invalid audience"));
  EXPECT_THAT(text("{" + iss + R"(,"aud":["other","https://issuer.example/"],)" + may + "}"),
              HasSubstr("invalid audience"));
  EXPECT_EQ(text("{" + iss + R"(,"aud":["other","https://issuer.example"],)" + may + "}"), "");
}

TEST(Guard, AllowsClocksToDifferByASecond) {
  const auto kind = [](std::string_view more) {
    return judge(signed_token(claims(fmt::format(R"("function":{{"permissions":["*"]}},{})", more)))).kind;
  };
  EXPECT_EQ(kind(R"("exp":1699999999.5)"), Kind::admitted);
  EXPECT_EQ(kind(R"("exp":1699999999)"), Kind::unauthenticated);
  EXPECT_EQ(kind(R"("exp":0)"), Kind::unauthenticated);
  EXPECT_EQ(kind(R"("exp":-1)"), Kind::unauthenticated);
  EXPECT_EQ(kind(R"("nbf":1700000001)"), Kind::admitted);
  EXPECT_EQ(kind(R"("nbf":1700000001.5)"), Kind::unauthenticated);
  EXPECT_EQ(kind(R"("iat":9900000000)"), Kind::admitted) << "when it was issued does not matter";
  EXPECT_EQ(kind(R"("exp":18446744073709551615)"), Kind::admitted);
  EXPECT_EQ(kind(R"("exp":null)"), Kind::admitted);
  for (const auto* wrong :
       {R"("exp":"1800000000")", R"("exp":true)", R"("exp":[])", R"("nbf":{})", R"("exp":1e999)"}) {
    EXPECT_EQ(kind(wrong), Kind::unauthenticated) << wrong;
  }
}

TEST(Guard, AsksForAPermissionOfThisFunction) {
  const auto kind = [](std::string_view function) {
    return judge(signed_token(claims(fmt::format(R"("function":{})", function)))).kind;
  };
  for (const auto* good :
       {R"({"permissions":["*"]})", R"({"permissions":["openfaas-fn:*"]})",
        R"({"permissions":["openfaas-fn:env"]})", R"({"permissions":["x","*:env"]})",
        R"({"permissions":["*"],"audience":[]})", R"({"permissions":["*"],"audience":null})",
        R"({"permissions":["*"],"audience":["*:e*v"]})"}) {
    EXPECT_EQ(kind(good), Kind::admitted) << good;
  }
  for (const auto* bad : {"{}", "null", R"({"permissions":[]})", R"({"permissions":[""]})",
                          R"({"permissions":["fn:en"]})", R"({"permissions":["e"]})",
                          R"({"permissions":["openfaas-fn:en"]})", R"({"permissions":["openfaas-fn:env2"]})",
                          R"({"permissions":["penfaas-fn:env"]})", R"({"permissions":[".*"]})",
                          R"({"permissions":["*"],"audience":["other:*"]})", R"({"audience":["*"]})"}) {
    EXPECT_EQ(kind(bad), Kind::forbidden) << bad;
  }
  for (const auto* wrong : {"[]", "1", R"("*")", R"({"permissions":"*"})", R"({"permissions":[1]})",
                            R"({"permissions":["*"],"audience":"*"})"}) {
    EXPECT_EQ(kind(wrong), Kind::unauthenticated) << wrong;
  }
  EXPECT_EQ(judge(signed_token(claims(R"("x":1)"))).kind, Kind::forbidden) << "no claim function";
}

TEST(BearerToken, IsWhatFollowsTheSchemeOrEverything) {
  EXPECT_EQ(bearer_token("Bearer a.b.c"), "a.b.c");
  EXPECT_EQ(bearer_token("a.b.c"), "a.b.c");
  EXPECT_EQ(bearer_token("bearer a.b.c"), "bearer a.b.c");
  EXPECT_EQ(bearer_token(""), "");
}

TEST(Pattern, StandsForTheWholeText) {
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("***", "x"));
  EXPECT_TRUE(matches_pattern("a*c*e", "abcde"));
  EXPECT_TRUE(matches_pattern("a*bc", "abcbc"));
  EXPECT_TRUE(matches_pattern("*a*a", "aa"));
  EXPECT_FALSE(matches_pattern("*a*a", "a"));
  EXPECT_FALSE(matches_pattern("a*c", "abcd"));
  EXPECT_FALSE(matches_pattern("", ""));
  EXPECT_FALSE(matches_pattern("a", ""));
  EXPECT_FALSE(matches_pattern("a.c", "abc"));
  EXPECT_FALSE(matches_pattern("(a|b)", "a"));
  // Many stars do not make it slow: this would not end if each were tried at every place.
  std::string stars;
  for (int i = 0; i < 2000; ++i) stars += "*a";
  EXPECT_FALSE(matches_pattern(stars + "b", std::string(4000, 'a')));
}

TEST(VerdictCache, ForgetsWhatWasUsedLongestAgo) {
  VerdictCache cache(10);
  cache.remember("aaaa", {.permitted = true});
  cache.remember("bbbb", {.permitted = false});
  ASSERT_NE(cache.find("aaaa"), nullptr);
  cache.remember("cccc", {.permitted = true});
  EXPECT_EQ(cache.find("bbbb"), nullptr);
  ASSERT_NE(cache.find("aaaa"), nullptr);
  EXPECT_TRUE(cache.find("aaaa")->permitted);
  cache.remember("aaaa", {.permitted = false});
  EXPECT_FALSE(cache.find("aaaa")->permitted);
  EXPECT_EQ(cache.size(), 2U);
  cache.remember(std::string(11, 'x'), {});
  EXPECT_EQ(cache.size(), 2U) << "larger than the whole cache";
  cache.forget("aaaa");
  cache.clear();
  EXPECT_EQ(cache.size(), 0U);
}

}  // namespace
}  // namespace faas::jwt
