import { describeTransport } from "../../kernel/transport_conformance.ts";
import { realNetwork } from "./support.ts";

describeTransport("libp2p over TLS", realNetwork);
