#include "jwt/signature.h"

#include <gmock/gmock.h>

#include "jwt/base64url.h"
#include "jwt/sign_in_test.h"

namespace faas::jwt {
namespace {

using ::testing::HasSubstr;

std::string bytes(std::string_view text) {
  return decode_base64url(text).value();
}

// Whether `token` carries this key's signature.
bool verifies(const PublicKey& key, Algorithm algorithm, std::string_view token) {
  const auto dot = token.rfind('.');
  return key.verifies(algorithm, token.substr(0, dot), bytes(token.substr(dot + 1)));
}

TEST(Base64Url, ReadsTheOneSpellingAndNoOther) {
  EXPECT_EQ(decode_base64url(""), "");
  EXPECT_EQ(decode_base64url("AA"), std::string(1, '\0'));
  EXPECT_EQ(decode_base64url("_-8"), "\xff\xef");
  for (const auto* wrong : {"A", "AAAAA", "AB", "AAB", "AA==", "A+", "A/", "AA\n", " AA", "A.", "\xc3\xa4"}) {
    EXPECT_EQ(decode_base64url(wrong), std::nullopt) << wrong;
  }
  for (std::string text; text.size() < 40; text.push_back(static_cast<char>(text.size() * 37))) {
    EXPECT_EQ(decode_base64url(base64url(text)), text);
  }
}

TEST(Algorithms, AreAListOfAsymmetricOnes) {
  for (const auto* name :
       {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}) {
    EXPECT_TRUE(algorithm_named(name)) << name;
  }
  for (const auto* name :
       {"none", "None", "NONE", "", "HS256", "HS384", "HS512", "rs256", "ES256K", "RSA-OAEP"}) {
    EXPECT_FALSE(algorithm_named(name)) << name;
  }
}

// RFC 7515 appendix A.2.
TEST(Signature, OfTheRfcWithRsa) {
  const auto key =
      PublicKey::rsa(bytes("ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJ"
                           "rcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo"
                           "9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapH"
                           "g665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
                           "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"),
                     bytes("AQAB"));
  ASSERT_TRUE(key);
  const std::string token =
      "eyJhbGciOiJSUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp"
      "0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
      "O8W2Fp5jujGbds9"
      "uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"
      "eSN9383"
      "LcOLn6_dO--xi12jzDwusC-"
      "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVm"
      "tVrBp0igcN_IoypGlUPQGe77Rw";
  EXPECT_TRUE(verifies(*key, Algorithm::rs256, token));
  EXPECT_FALSE(verifies(*key, Algorithm::ps256, token)) << "another padding";
  EXPECT_FALSE(verifies(*key, Algorithm::rs512, token)) << "another digest";
  EXPECT_FALSE(verifies(*key, Algorithm::es256, token)) << "another kind of key";
}

// RFC 7515 appendices A.3 and A.4.
TEST(Signature, OfTheRfcWithEllipticCurves) {
  const auto p256 = PublicKey::ec(Curve::p256, bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
                                  bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"));
  ASSERT_TRUE(p256);
  EXPECT_TRUE(
      verifies(*p256, Algorithm::es256,
               "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLm"
               "NvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApm"
               "WQxfKTUJqPP3-Kg6NU1Q"));
  const auto p521 = PublicKey::ec(
      Curve::p521,
      bytes("AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk"),
      bytes("ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"));
  ASSERT_TRUE(p521);
  const std::string token =
      "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-"
      "mZZqwqT2SI-KGDKB"
      "34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
  EXPECT_TRUE(verifies(*p521, Algorithm::es512, token));
  EXPECT_FALSE(verifies(*p256, Algorithm::es256, token));
  EXPECT_FALSE(p256->fits(Algorithm::es512));
}

// RFC 8037 appendix A.4.
TEST(Signature, OfTheRfcWithEd25519) {
  const auto key = PublicKey::ed25519(bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"));
  ASSERT_TRUE(key);
  const std::string token =
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
      "09PGcvMg3AIbQR6dWbhijcN"
      "R4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
  EXPECT_TRUE(verifies(*key, Algorithm::eddsa, token));
  EXPECT_FALSE(verifies(*key, Algorithm::rs256, token));
}

TEST(Signature, OfAnotherMessageOrLengthIsBad) {
  const auto key = PublicKey::ed25519(bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"));
  EXPECT_FALSE(key->verifies(Algorithm::eddsa, "m", ""));
  EXPECT_FALSE(key->verifies(Algorithm::eddsa, "m", std::string(64, '\0')));
  EXPECT_FALSE(key->verifies(Algorithm::eddsa, "m", std::string(4000, 'x')));
  const auto p256 = PublicKey::ec(Curve::p256, bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
                                  bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"));
  for (const auto size :
       {std::size_t{0}, std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65}}) {
    EXPECT_FALSE(p256->verifies(Algorithm::es256, "m", std::string(size, '\0')))
        << size;  // r = s = 0 as well
  }
}

TEST(Keys, OutsideTheLimitsAreRefused) {
  EXPECT_THAT(PublicKey::rsa(std::string(128, '\xff'), "\x01\x00\x01").error().text,
              HasSubstr("fewer than 2048"));
  EXPECT_THAT(PublicKey::rsa(std::string(1025, '\xff'), std::string("\x01\x00\x01", 3)).error().text,
              HasSubstr("more than 8192"));
  EXPECT_THAT(PublicKey::rsa(std::string(128, '\0') + std::string(128, '\xff'), "\x03").error().text,
              HasSubstr("fewer than 2048"))
      << "zeros in front do not count";
  EXPECT_FALSE(PublicKey::rsa(std::string(256, '\xff'), "\x01"));
  EXPECT_FALSE(PublicKey::rsa(std::string(256, '\xff'), "\x02"));
  EXPECT_FALSE(PublicKey::rsa(std::string(256, '\xff'), ""));
  EXPECT_FALSE(PublicKey::rsa(std::string(256, '\xff'), std::string(9, '\x03')));
  EXPECT_FALSE(PublicKey::rsa(std::string(256, '\xfe'), "\x03")) << "even";
  EXPECT_FALSE(PublicKey::ec(Curve::p256, std::string(32, '\x01'), std::string(32, '\x01')))
      << "not on the curve";
  EXPECT_FALSE(PublicKey::ec(Curve::p256, std::string(32, '\0'), std::string(32, '\0')));
  EXPECT_FALSE(PublicKey::ec(Curve::p384, std::string(32, '\x01'), std::string(32, '\x01')));
  EXPECT_FALSE(PublicKey::ed25519(std::string(31, '\x01')));
}

}  // namespace
}  // namespace faas::jwt
