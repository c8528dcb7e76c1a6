// Any bytes as a key set: what is in it has a name and is strong enough, everything else was passed over.
#include "jwt/key_set.h"

#include <array>

#include "target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using faas::jwt::Algorithm;
  const auto set = faas::jwt::KeySet::parse(faas::fuzz::text_of(data, size));
  if (!set) {
    HOLDS(set.error().origin == faas::Origin::platform && !set.error().text.empty());
    return 0;
  }
  HOLDS(!set->keys().empty() &&
        set->keys().size() + set->passed_over().size() <= faas::jwt::KeySet::kKeysMax);
  HOLDS(set->same_as(*set));
  constexpr std::array kAlgorithms{Algorithm::rs256, Algorithm::ps256, Algorithm::es256,
                                   Algorithm::es384, Algorithm::es512, Algorithm::eddsa};
  for (const auto& key : set->keys()) {
    HOLDS(!key.id.empty() && key.id.size() <= faas::jwt::kKeyIdBytesMax);
    HOLDS(!key.only || key.key.fits(*key.only));
    for (const auto algorithm : kAlgorithms) {
      HOLDS(!key.key.verifies(algorithm, "message", "this is no signature, whatever the key is"));
    }
    const faas::jwt::Token token{.algorithm = Algorithm::eddsa, .key_id = key.id + "x", .signature = "s"};
    (void)set->verify(token);
  }
  return 0;
}
