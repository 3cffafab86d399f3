import { describeTransport } from "../../kernel/transport_conformance.ts";
import { realNetwork } from "./real_network.ts";

describeTransport("libp2p over TLS", realNetwork);
