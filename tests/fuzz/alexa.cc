// Any bytes as the request of an Alexa skill: what names a function is where it
// should be, and a refusal says whose fault it is.
#include <boost/json/parse.hpp>

#include "gateway/alexa.h"
#include "model/json.h"
#include "target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace faas;
  namespace json = boost::json;
  const auto input = fuzz::text_of(data, size);
  const auto intent = gateway::alexa_intent(input);
  if (!intent) {
    const auto& error = intent.error();
    HOLDS(error.origin == Origin::client && !error.text.empty());
    HOLDS(error.code == Code::invalid || error.code == Code::too_large);
    return 0;
  }
  HOLDS(!intent->empty() && intent->find('\0') == intent->npos);
  const auto whole = json::parse({input.data(), input.size()}, {}, {.max_depth = kJsonDepthMax});
  const JsonFields fields(whole.get_object());
  const auto* request = fields.object("request").value();
  const auto* named = JsonFields(*request).object("intent").value();
  HOLDS(JsonFields(*named).text("name").value() == *intent);

  const auto function = gateway::function_of_intent(*intent);
  HOLDS(function.size() == intent->size() && !function.starts_with("AMAZON."));
  HOLDS(gateway::function_of_intent(function) == function);
  HOLDS(intent->starts_with("AMAZON.") || function == *intent);
  return 0;
}
