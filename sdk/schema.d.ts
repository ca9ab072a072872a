// Generated from openapi.yaml by `npm run sdk`.

export interface paths {
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Check liveness
         * @description For liveness probes. Returns 200 as long as the process can respond.
         */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get metrics
         * @description Returns the metrics of the node that responds, in the Prometheus text format. The `HELP` lines describe them.
         */
        get: operations["getMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Check readiness
         * @description For readiness probes and load balancers. Returns 503 while the broker is unavailable, the process is draining or its event loop is overloaded.
         */
        get: operations["getReadiness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get server information
         * @description Returns the name, the version and the endpoints of the server. The same URL with an `Upgrade: websocket` header opens a socket.
         */
        get: operations["getServerInfo"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List or stream the changes of all rooms
         * @description Returns the changes of all rooms on all nodes after a position, for backends that cannot receive webhooks, and for consoles. The last 10,000 are kept. With `Accept: text/event-stream` the response is a live stream: `data:` is a notification, as the body of a webhook, and `Last-Event-ID` resumes the stream. Its event `open` has the position at which a new stream starts, and its event `gap` says that changes may be missing.
         */
        get: operations["listChanges"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/funnel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the funnel
         * @description Returns how many payments of all nodes reached each step in the last hour, day or week, how many were lost between two steps, the time that they took, and the methods. Each payment counts once for a step, however often its payer retries.
         */
        get: operations["getFunnel"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/nodes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List nodes
         * @description Lists the nodes of the server with their starts, sockets, event streams and rooms. Without Redis there is one node. With Redis the figures of other nodes are up to five seconds old, and a node that has died is listed for fifteen seconds more.
         */
        get: operations["listNodes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/message/room/{roomId}/broadcast": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Broadcast a message to a room
         * @description Sends a message whose `type` is `eventType` to all members of the room, and stores it in the log of the room for members that reconnect. Returns 404 if the room does not exist.
         */
        post: operations["broadcastToRoom"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List rooms
         * @description Lists the rooms that match, in pages. One request looks at a bounded number of rooms: with filters a page may be short, or empty, and still have a cursor. On a server without API keys every client can list them: see the security notes.
         */
        get: operations["listRooms"];
        put?: never;
        /**
         * Create a room
         * @description Creates the room of a payment. Its events are stored even before the first member joins. Without a `roomId` or a body, the room gets an id of 128 random bits, which cannot be guessed. If joining requires a token, the response has one for each of the two devices.
         */
        post: operations["createRoom"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms/{roomId}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List or stream the events of a room
         * @description Returns the events after a position in the log. With `Accept: text/event-stream` the response is a live stream: each message is the same as over a socket, `id:` is `epoch:seq`, and `Last-Event-ID` resumes the stream. Like a join, a stream creates the room if it does not exist.
         */
        get: operations["listRoomEvents"];
        put?: never;
        /**
         * Publish a payment event
         * @description Publishes a payment event: one of the seven of devices, or, with an API key, also `PAYMENT_PENDING`, `PAYMENT_CANCELLED`, `PAYMENT_REFUNDED` or `PAYMENT_DISPUTED`. A result with an API key is `verified` and replaces a result that a device reported. After the deadline of the payment link only events with an API key are accepted. An event with an `id` that was already sent, over a socket or here, is not relayed again, so a page that is being closed can send its last event both ways.
         */
        post: operations["publishRoomEvent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms/{roomId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a room
         * @description Returns the payment state, the terms of the link, the members and the log position of a room.
         */
        get: operations["getRoom"];
        put?: never;
        post?: never;
        /**
         * Close a room
         * @description Closes a room and deletes its log. Its members receive `ROOM_CLOSED`; later events are rejected with `ROOM_CLOSED`. The room can be created again.
         */
        delete: operations["closeRoom"];
        options?: never;
        head?: never;
        /**
         * Change a payment link
         * @description Changes the terms of the payment link, or extends it, also after its deadline. The members receive `LINK_UPDATED`.
         */
        patch: operations["updateRoom"];
        trace?: never;
    };
    "/api/rooms/{roomId}/state": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the state of a payment
         * @description Returns the payment state of a room. Both devices may read it with their room tokens. A page that can keep a connection gets the state faster over a socket or an event stream.
         */
        get: operations["getRoomState"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms/{roomId}/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Create a room token
         * @description Creates a token for one role in an existing room, optionally for one device only. Returns 404 if the room does not exist or the server does not use tokens.
         */
        post: operations["createRoomToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/rooms/{roomId}/events/batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Publish events in one step
         * @description Publishes up to 100 events in their order, with no event of others between them, for a page that is about to be closed. Each event is what publishRoomEvent makes of it: one that was already sent is a duplicate, and one that is rejected does not hold up those after it. If none was accepted, the response is the error of the first. A result with an API key is rejected: a backend publishes it by itself.
         */
        post: operations["publishRoomEvents"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/server/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the server status
         * @description Returns the uptime, the open connections and the rooms with members of the node that responds.
         */
        get: operations["getServerStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/webhooks/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List sent webhooks
         * @description Lists the webhooks that the server sends to backends, the latest first, without their bodies and URLs: those that wait, those that were given up, and the last ones that were delivered.
         */
        get: operations["listWebhookDeliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/webhooks/deliveries/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a webhook again
         * @description Sends a webhook again that waits, has failed or was disabled. One that waits is tried with its room now. One that was given up has one more try, before those that wait in its room; if it succeeds, a receiver that was switched off is on again.
         */
        post: operations["retryWebhookDelivery"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/webhooks/refused": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List refused results of providers
         * @description Lists the latest results of payment providers that were not logged, since they break a rule: the latest first, without their bodies. The provider got 422 and repeats them.
         */
        get: operations["listRefusedDeliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/{provider}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Receive a webhook of a payment provider
         * @description The URL to enter in the dashboard of the provider. The body is verified by the provider's signature, and its results are published as verified events of a backend. A body has at most 512 KiB. 2xx says that each result is in the log of its room; a provider repeats a delivery after any other status. 422: a result breaks a rule; it is in the list of refused deliveries.
         */
        post: operations["receiveWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export interface webhooks {
    notification: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Notify a backend
         * @description Sent to `WEBHOOK_URL`, or to the `webhookUrl` of the room, for each change of a room: `payment.progressed`, `payment.succeeded`, `payment.failed`, `payment.processing`, `payment.cancelled`, `payment.expired`, `payment.refunded`, `payment.disputed`, `payment.stalled`, `room.closed`. Signed by the Standard Webhooks specification. It is sent at least once, in the order of its room: a repetition has the same `webhook-id`.
         */
        post: operations["notifyBackend"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export interface components {
    schemas: {
        /** @description Envelope of every error response. */
        ErrorResponse: {
            /** @enum {boolean} */
            success: false;
            /**
             * @description Error message for people.
             * @example The room does not exist.
             */
            error: string;
            /**
             * @description Error code for programs.
             * @example ROOM_NOT_FOUND
             * @enum {string}
             */
            code: "INVALID_JSON" | "INVALID_FRAME" | "INVALID_REQUEST" | "UNKNOWN_EVENT" | "FORBIDDEN_KEY" | "SENSITIVE_DATA" | "TOO_DEEP" | "UNAUTHORIZED" | "INVALID_TOKEN" | "TOKEN_EXPIRED" | "FORBIDDEN" | "NOT_FOUND" | "ROOM_NOT_FOUND" | "PAYLOAD_TOO_LARGE" | "URI_TOO_LONG" | "UNSUPPORTED_MEDIA_TYPE" | "RESULT_REFUSED" | "ROOM_EXISTS" | "ROOM_CLOSED" | "NOT_JOINED" | "ID_CONFLICT" | "ROOM_FULL" | "ROOM_TAKEN" | "TOO_MANY_ROOMS" | "RATE_LIMITED" | "UNAVAILABLE" | "INTERNAL";
            /** @description The violated rules. */
            details?: {
                /** @example message */
                key: string;
                /** @example is required */
                rule: string;
            }[];
            /**
             * @description ID of the request in the log of the server.
             * @example Zm9vYmFyYmF6
             */
            requestId: string;
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        ServerInfo: {
            /** @example WebSocket Payment Server */
            message: string;
            /** @example 1.0.0 */
            version: string;
            /**
             * @example {
             *       "health": "GET /health"
             *     }
             */
            endpoints: {
                [key: string]: string;
            };
            /**
             * @description Path of the documentation; null if it is not served.
             * @example /docs
             */
            docs: string | null;
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        Health: {
            /** @enum {string} */
            status: "ok";
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        Readiness: {
            /** @enum {string} */
            status: "ready" | "not ready";
            checks: {
                /**
                 * @description `up` if rooms can be read and written.
                 * @enum {string}
                 */
                broker: "up" | "down";
                /** @description True if the process is shutting down. */
                draining: boolean;
                /**
                 * @description `delayed` if the event loop is overloaded.
                 * @enum {string}
                 */
                eventLoop: "ok" | "delayed";
            };
            /**
             * @description Reason why rooms cannot be read and written.
             * @example it refuses writes: out of memory (maxmemory)
             */
            reason?: string;
        };
        ServerStatus: {
            /**
             * @example running
             * @enum {string}
             */
            status: "running" | "draining";
            /**
             * @description Milliseconds since the start of the server.
             * @example 3600000
             */
            uptime: number;
            /**
             * @description Open sockets and event streams.
             * @example 5
             */
            totalConnections: number;
            /**
             * @description Rooms with members.
             * @example 2
             */
            totalRooms: number;
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
            /** @example 1.0.0 */
            version: string;
        };
        ServerStatusResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["ServerStatus"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        BroadcastRequest: {
            /**
             * @description The `type` of the message that the clients receive: 1–64 characters of `A-Z a-z 0-9 _ . : -`, except the types of the protocol.
             * @example PAYMENT_UPDATE
             */
            eventType: string;
            /** @example Pagamento processado com sucesso! */
            message: string;
            /** @example seguro_123456 */
            idSeguro: string;
        };
        BroadcastResult: {
            /**
             * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
             * @example payment_123
             */
            roomId: string;
            /** @example PAYMENT_UPDATE */
            eventType: string;
            /** @example Pagamento processado com sucesso! */
            message: string;
            /** @example seguro_123456 */
            idSeguro: string;
            /**
             * @description Number of members that the message was sent to. 0: the message is only in the log.
             * @example 2
             */
            sentToClients: number;
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        BroadcastResultResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["BroadcastResult"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        PaymentState: {
            /** @description The last progress event; null before the first. */
            step: ("ENTERED_SUMMARY" | "CLICKED_PROCEED" | "PAYMENT_METHOD_CHANGED" | "DATA_FILLED" | "CLICKED_PAY") | null;
            method?: string;
            fields?: string[];
            /**
             * PaymentStatus
             * @enum {string}
             */
            status: "pending" | "processing" | "succeeded" | "failed" | "cancelled" | "expired" | "partially_refunded" | "refunded" | "disputed";
            /** @description Number of the attempt: after a failure the payer's next step begins the next one. */
            attempt: number;
            /** PaymentOutcome */
            lastError?: {
                transactionId?: string;
                amount?: number;
                currency?: string;
                error?: string;
                code?: string;
                /** @description Reason of a payment that is processing, cancelled or disputed. */
                reason?: string;
                method?: string;
                /** @description Time until which the payer can pay, for example a Pix code, in milliseconds since the Unix epoch. */
                expiresAt?: number;
                /**
                 * @description The amount of a claim, or the currency, is not the expected one.
                 * @enum {boolean}
                 */
                mismatch?: true;
                /**
                 * @description The money came after the payment had expired or was cancelled.
                 * @enum {boolean}
                 */
                late?: true;
                /** @description True if a backend reported the result with an API key; false if a device reported it. */
                verified: boolean;
            };
            /** PaymentOutcome */
            outcome?: {
                transactionId?: string;
                amount?: number;
                currency?: string;
                error?: string;
                code?: string;
                /** @description Reason of a payment that is processing, cancelled or disputed. */
                reason?: string;
                method?: string;
                /** @description Time until which the payer can pay, for example a Pix code, in milliseconds since the Unix epoch. */
                expiresAt?: number;
                /**
                 * @description The amount of a claim, or the currency, is not the expected one.
                 * @enum {boolean}
                 */
                mismatch?: true;
                /**
                 * @description The money came after the payment had expired or was cancelled.
                 * @enum {boolean}
                 */
                late?: true;
                /** @description True if a backend reported the result with an API key; false if a device reported it. */
                verified: boolean;
            };
            /**
             * @description Amount of the payment link. In units of the currency, such as 99.9.
             * @example 99.9
             */
            expected?: number;
            /**
             * @description Currency of `expected`, `paid` and `refunded`.
             * @example BRL
             */
            currency?: string;
            /**
             * @description Sum of the verified successes, one for each transaction. In units of the currency, such as 99.9.
             * @example 99.9
             */
            paid?: number;
            /**
             * @description Sum of the verified refunds. In units of the currency, such as 99.9.
             * @example 99.9
             */
            refunded?: number;
            /**
             * PaymentBalance
             * @description `paid` beside `expected`, if an amount is expected.
             * @enum {string}
             */
            balance?: "none" | "under" | "exact" | "over";
            /** @description Time of the last change in milliseconds since the Unix epoch; initially the creation of the room. */
            updatedAt: number;
        };
        RoomMember: {
            /** @example client_1705312205000_1f2e3d4c5b6a */
            clientId: string;
            /**
             * @description Device id, chosen by the device: 1–128 characters, no control characters.
             * @example device_1
             */
            deviceId: string;
            /**
             * Role
             * @description device1 created the payment link and watches; device2 opened the link and pays.
             * @enum {string}
             */
            role: "device1" | "device2";
            /** @description Number of connections of the device, if it has more than one; `clientId` and `role` are then those of one of them. */
            connections?: number;
        };
        CreateRoomRequest: {
            /**
             * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
             * @example payment_123
             */
            roomId?: string;
            /**
             * @description Time from now until the deadline of the payment link. At the deadline the room gets `PAYMENT_EXPIRED`, and devices can publish no more; results of a backend are taken for some days after it. Without a deadline the room ends after it was empty for the retention time.
             * @example 1800
             */
            ttlSeconds?: number;
            /**
             * @description Expected amount, which requires a `currency`: a number that is not negative, or the same as decimal text, such as "99.90".
             * @example 99.9
             */
            amount?: number | string;
            /**
             * @description Currency code, ISO 4217.
             * @example BRL
             */
            currency?: string;
            /**
             * @description Name of the payment in the shop, such as an order number.
             * @example order 1234
             */
            reference?: string;
            /**
             * @description Text for the payer.
             * @example Two books
             */
            description?: string;
            /**
             * @description URL, `https://…`, that gets the webhooks of this room in place of the URL of the server. Requires a server that signs webhooks. No answer contains it.
             * @example https://shop.example/webhooks/payments
             */
            webhookUrl?: string;
        };
        CreatedRoom: {
            /**
             * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
             * @example payment_123
             */
            roomId: string;
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            expiresAt: number;
            /** @description Tokens for the two devices, if the server requires tokens. Their lifetime is the server's default. */
            tokens?: {
                /**
                 * @description Room token, for `token` in `JOIN_ROOM` or as a bearer token.
                 * @example eyJhbGciOiJIUzI1NiIsInR5cCI6InJvb20rand0In0.eyJyb29tIjoicGF5bWVudF8xMjMifQ.c2lnbmF0dXJl
                 */
                device1: string;
                /**
                 * @description Room token, for `token` in `JOIN_ROOM` or as a bearer token.
                 * @example eyJhbGciOiJIUzI1NiIsInR5cCI6InJvb20rand0In0.eyJyb29tIjoicGF5bWVudF8xMjMifQ.c2lnbmF0dXJl
                 */
                device2: string;
            };
        };
        CreatedRoomResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["CreatedRoom"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        /** @description Role and lifetime of a token and, optionally, the only device that may use it. */
        CreateTokenRequest: {
            /**
             * Role
             * @description device1 created the payment link and watches; device2 opened the link and pays.
             * @enum {string}
             */
            role: "device1" | "device2";
            /**
             * @description Device id, chosen by the device: 1–128 characters, no control characters.
             * @example device_1
             */
            deviceId?: string;
            /**
             * @description Lifetime of the token; the default is a setting of the server.
             * @example 900
             */
            ttlSeconds?: number;
        };
        RoomToken: {
            /**
             * @description Room token, for `token` in `JOIN_ROOM` or as a bearer token.
             * @example eyJhbGciOiJIUzI1NiIsInR5cCI6InJvb20rand0In0.eyJyb29tIjoicGF5bWVudF8xMjMifQ.c2lnbmF0dXJl
             */
            token: string;
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            expiresAt: number;
        };
        RoomTokenResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["RoomToken"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        RoomSummary: {
            /**
             * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
             * @example payment_123
             */
            roomId: string;
            /**
             * @description Number of devices in the room.
             * @example 2
             */
            members: number;
            /**
             * @description Sequence number of the last event in the log.
             * @example 7
             */
            seq: number;
            /**
             * @example pending
             * @enum {string}
             */
            status: "pending" | "processing" | "succeeded" | "failed" | "cancelled" | "expired" | "partially_refunded" | "refunded" | "disputed";
            /**
             * @description The last progress event; null before the first.
             * @example CLICKED_PROCEED
             */
            step: ("ENTERED_SUMMARY" | "CLICKED_PROCEED" | "PAYMENT_METHOD_CHANGED" | "DATA_FILLED" | "CLICKED_PAY") | null;
            /**
             * @description True if the payer has paused for `STALL_SECONDS`, until the next event.
             * @example false
             */
            stalled: boolean;
            /** @description True if a backend reported the result, false if a device did; missing without a result. */
            verified?: boolean;
            /**
             * @description Expected amount of the payment link, in units of the currency.
             * @example 99.9
             */
            amount?: number;
            /** @example BRL */
            currency?: string;
            /**
             * @description Name of the payment in the shop, such as an order number.
             * @example order 1234
             */
            reference?: string;
            /**
             * @description Time of the last change of the payment's state, in milliseconds since the Unix epoch; initially the creation of the room.
             * @example 1795504811474
             */
            updatedAt: number;
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            createdAt: number;
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            expiresAt: number;
            lastEventAt: number | null;
        };
        RoomList: {
            rooms: components["schemas"]["RoomSummary"][];
            /**
             * @description Cursor of the next page; null on the last page. A page with filters may be short, or empty, before the last one.
             * @example null
             */
            cursor: string | null;
        };
        RoomListResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["RoomList"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        RoomDetails: {
            /**
             * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
             * @example payment_123
             */
            roomId: string;
            /**
             * @description ID of the log of the room; `seq` is counted within one epoch, and a new log has a new epoch.
             * @example aex8oNlQGo8f
             */
            epoch: string;
            /**
             * @description Sequence number of the last event in the log.
             * @example 7
             */
            seq: number;
            state: components["schemas"]["PaymentState"];
            /**
             * @description Name of the payment in the shop, such as an order number.
             * @example order 1234
             */
            reference?: string;
            /**
             * @description Text for the payer.
             * @example Two books
             */
            description?: string;
            members: components["schemas"]["RoomMember"][];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            createdAt: number;
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            expiresAt: number;
        };
        RoomDetailsResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["RoomDetails"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        /** @description The terms that change; `ttlSeconds` extends a link, also one that has expired. */
        UpdateRoomRequest: {
            /**
             * @description Time from now until the deadline of the payment link. At the deadline the room gets `PAYMENT_EXPIRED`, and devices can publish no more; results of a backend are taken for some days after it. Without a deadline the room ends after it was empty for the retention time.
             * @example 1800
             */
            ttlSeconds?: number;
            /**
             * @description Expected amount, which requires a `currency`: a number that is not negative, or the same as decimal text, such as "99.90".
             * @example 99.9
             */
            amount?: number | string;
            /**
             * @description Currency code, ISO 4217.
             * @example BRL
             */
            currency?: string;
            /**
             * @description Name of the payment in the shop, such as an order number.
             * @example order 1234
             */
            reference?: string;
            /**
             * @description Text for the payer.
             * @example Two books
             */
            description?: string;
        };
        RoomState: {
            /**
             * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
             * @example payment_123
             */
            roomId: string;
            /**
             * @description ID of the log of the room; `seq` is counted within one epoch, and a new log has a new epoch.
             * @example aex8oNlQGo8f
             */
            epoch: string;
            /**
             * @description Sequence number of the last event in the log.
             * @example 7
             */
            seq: number;
            state: components["schemas"]["PaymentState"];
        };
        RoomStateResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["RoomState"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        /** @description An event as the members of the room received it. */
        RoomEvent: {
            /** @example PAYMENT_SUCCESS */
            type: string;
            /**
             * @example {
             *       "roomId": "payment_123",
             *       "transactionId": "tx_456789",
             *       "amount": 99.9
             *     }
             */
            payload: {
                [key: string]: unknown;
            };
            /** @example 7 */
            seq: number;
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
            /**
             * @description `api`: sent by a backend. A payment event is `api` only with an API key, otherwise `device`. `server`: sent by the server itself.
             * @enum {string}
             */
            source: "device" | "api" | "server";
            /**
             * @description True if the server has masked card numbers in the payload, as `411111******1111`. Missing otherwise.
             * @enum {boolean}
             */
            redacted?: true;
            id?: string;
        };
        RoomEvents: {
            /**
             * @description ID of the log of the room; `seq` is counted within one epoch, and a new log has a new epoch.
             * @example aex8oNlQGo8f
             */
            epoch: string;
            /**
             * @description Sequence number of the last event in the log.
             * @example 7
             */
            seq: number;
            /** @description True: no event after the requested position is missing. False: events may be missing, and the list starts with the oldest event in the log. */
            recovered: boolean;
            events: components["schemas"]["RoomEvent"][];
            /** @description True if there are further events; request them with the last `seq` as `since`. */
            more: boolean;
        };
        RoomEventsResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["RoomEvents"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        PublishRequest: {
            /**
             * @example PAYMENT_SUCCESS
             * @enum {string}
             */
            type: "ENTERED_SUMMARY" | "CLICKED_PROCEED" | "PAYMENT_METHOD_CHANGED" | "DATA_FILLED" | "CLICKED_PAY" | "PAYMENT_SUCCESS" | "PAYMENT_ERROR" | "PAYMENT_PENDING" | "PAYMENT_CANCELLED" | "PAYMENT_REFUNDED" | "PAYMENT_DISPUTED";
            /**
             * @description Payload as a device sends it; `roomId` is optional.
             * @example {
             *       "transactionId": "tx_456789",
             *       "amount": 99.9,
             *       "currency": "BRL"
             *     }
             */
            payload?: {
                [key: string]: unknown;
            };
            id?: string;
        };
        PublishResult: {
            /**
             * @description ID of the log of the room; `seq` is counted within one epoch, and a new log has a new epoch.
             * @example aex8oNlQGo8f
             */
            epoch: string;
            /** @example 7 */
            seq: number;
            /** @description True if the event was already in the log; it is not relayed again. */
            duplicate: boolean;
            /** @example 2 */
            sentToClients: number;
        };
        PublishResultResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["PublishResult"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        PublishBatchRequest: {
            /** @description Events, in the order in which they are to be logged. */
            events: components["schemas"]["PublishRequest"][];
        };
        /** @description Outcome of one event: `seq`, `duplicate` and `sentToClients`, or, if it was rejected, `code` and `error`. */
        BatchOutcome: {
            /** @example 7 */
            seq?: number;
            /** @description True if the event was already in the log; it is not relayed again. */
            duplicate?: boolean;
            /** @example 2 */
            sentToClients?: number;
            /**
             * @description Error code for programs.
             * @example ROOM_NOT_FOUND
             * @enum {string}
             */
            code?: "INVALID_JSON" | "INVALID_FRAME" | "INVALID_REQUEST" | "UNKNOWN_EVENT" | "FORBIDDEN_KEY" | "SENSITIVE_DATA" | "TOO_DEEP" | "UNAUTHORIZED" | "INVALID_TOKEN" | "TOKEN_EXPIRED" | "FORBIDDEN" | "NOT_FOUND" | "ROOM_NOT_FOUND" | "PAYLOAD_TOO_LARGE" | "URI_TOO_LONG" | "UNSUPPORTED_MEDIA_TYPE" | "RESULT_REFUSED" | "ROOM_EXISTS" | "ROOM_CLOSED" | "NOT_JOINED" | "ID_CONFLICT" | "ROOM_FULL" | "ROOM_TAKEN" | "TOO_MANY_ROOMS" | "RATE_LIMITED" | "UNAVAILABLE" | "INTERNAL";
            /**
             * @description Error message for people.
             * @example The room does not exist.
             */
            error?: string;
        };
        PublishBatchResult: {
            /**
             * @description ID of the log of the room; `seq` is counted within one epoch, and a new log has a new epoch.
             * @example aex8oNlQGo8f
             */
            epoch: string;
            /** @description Outcomes of the events, in their order. */
            results: components["schemas"]["BatchOutcome"][];
        };
        PublishBatchResultResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["PublishBatchResult"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        ListedChange: {
            /** @example 1795504813040-7 */
            position: string;
            /**
             * @example payment.succeeded
             * @enum {string}
             */
            type: "room.created" | "payment.progressed" | "payment.succeeded" | "payment.failed" | "payment.processing" | "payment.cancelled" | "payment.expired" | "payment.refunded" | "payment.disputed" | "payment.stalled" | "room.closed";
            /**
             * @description Time of the change, ISO 8601.
             * @example 2026-11-24T08:46:53.040Z
             */
            timestamp: string;
            data: {
                /**
                 * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
                /**
                 * @description Name of the payment in the shop.
                 * @example order 1234
                 */
                reference?: string;
                /**
                 * @description ID of the log of the room; `seq` is counted within one epoch, and a new log has a new epoch.
                 * @example aex8oNlQGo8f
                 */
                epoch: string;
                /**
                 * @description Sequence number of the last event in the log.
                 * @example 7
                 */
                seq: number;
                state: components["schemas"]["PaymentState"];
            };
        };
        ChangeList: {
            changes: components["schemas"]["ListedChange"][];
            /**
             * @description Position of the last change; request the next ones with it as `after`.
             * @example 1795504813040-7
             */
            position: string;
            /** @description False: changes may be missing, since the requested position is no longer kept, a node died, or Redis was away. Read the rooms anew. */
            complete: boolean;
            /** @description True if there may be further changes already. */
            more: boolean;
        };
        ChangeListResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["ChangeList"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        FunnelStep: {
            /**
             * @description `created`: the room began; `paid`: the first success, also if only a device reported it; `verified`: the first success that a backend reported.
             * @example CLICKED_PAY
             * @enum {string}
             */
            step: "created" | "ENTERED_SUMMARY" | "CLICKED_PROCEED" | "PAYMENT_METHOD_CHANGED" | "DATA_FILLED" | "CLICKED_PAY" | "paid" | "verified";
            /**
             * @description Payments that reached this step in the window for the first time. One that skips a step counts as having reached it.
             * @example 80
             */
            payments: number;
            /**
             * @description Payments of the step before that did not reach this one.
             * @example 10
             */
            lost: number;
            /**
             * @description Median time since the step before that the payment has reached; null if it is not known.
             * @example 12.5
             */
            medianSeconds: number | null;
            /**
             * @description Time that 95 % of the payments stayed below.
             * @example 48
             */
            p95Seconds: number | null;
        };
        FunnelMethod: {
            /**
             * @description `unknown` without a method, `other` for names that are not short and plain.
             * @example pix
             */
            method: string;
            /**
             * @description Payments whose payer clicked pay with this method.
             * @example 60
             */
            payments: number;
            /**
             * @description Payments that succeeded with this method.
             * @example 57
             */
            paid: number;
        };
        FunnelReport: {
            /**
             * @example day
             * @enum {string}
             */
            window: "hour" | "day" | "week";
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            from: number;
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            to: number;
            steps: components["schemas"]["FunnelStep"][];
            /**
             * @description Paid payments as a share of those whose payer opened the summary, 0–1; null if there are none.
             * @example 0.77
             */
            paidShare: number | null;
            methods: components["schemas"]["FunnelMethod"][];
        };
        FunnelReportResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["FunnelReport"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        ServerNode: {
            /**
             * @description Id of the process; a restarted one has another.
             * @example 7c1e0f4b92ad
             */
            id: string;
            /**
             * @description Name of the host or of its container.
             * @example payments-7d9c5b-x2x8v
             */
            name: string;
            /**
             * @description `draining` while the process is shutting down.
             * @example running
             * @enum {string}
             */
            status: "running" | "draining";
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            startedAt: number;
            /** @example 1.0.0 */
            version: string;
            /**
             * @description Open sockets.
             * @example 1840
             */
            sockets: number;
            /**
             * @description Open event streams.
             * @example 12
             */
            streams: number;
            /**
             * @description Rooms with a member on this node. A room with members on two nodes counts on both.
             * @example 921
             */
            rooms: number;
        };
        ServerNodeList: {
            /**
             * @description Id of the node that responds.
             * @example 7c1e0f4b92ad
             */
            self: string;
            /** @description The longest running node comes first. */
            nodes: components["schemas"]["ServerNode"][];
        };
        ServerNodeListResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["ServerNodeList"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        /** @description A result of a provider that was not logged. */
        RefusedDelivery: {
            /** @example stripe */
            provider: string;
            /**
             * @description Type of the event.
             * @example PAYMENT_SUCCESS
             */
            type: string;
            /**
             * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
             * @example payment_123
             */
            roomId?: string;
            /**
             * @example INVALID_FRAME
             * @enum {string}
             */
            code: "INVALID_JSON" | "INVALID_FRAME" | "INVALID_REQUEST" | "UNKNOWN_EVENT" | "FORBIDDEN_KEY" | "SENSITIVE_DATA" | "TOO_DEEP" | "UNAUTHORIZED" | "INVALID_TOKEN" | "TOKEN_EXPIRED" | "FORBIDDEN" | "NOT_FOUND" | "ROOM_NOT_FOUND" | "PAYLOAD_TOO_LARGE" | "URI_TOO_LONG" | "UNSUPPORTED_MEDIA_TYPE" | "RESULT_REFUSED" | "ROOM_EXISTS" | "ROOM_CLOSED" | "NOT_JOINED" | "ID_CONFLICT" | "ROOM_FULL" | "ROOM_TAKEN" | "TOO_MANY_ROOMS" | "RATE_LIMITED" | "UNAVAILABLE" | "INTERNAL";
            /**
             * @description The broken rule.
             * @example payload.currency: expected a currency code of ISO 4217
             */
            reason: string;
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        RefusedDeliveries: {
            deliveries: components["schemas"]["RefusedDelivery"][];
        };
        RefusedDeliveriesResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["RefusedDeliveries"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        /** @description A webhook that is sent to a backend, without its body. `timestamp` is the time of the change. */
        WebhookDelivery: {
            /**
             * @description ID of a delivery: the `webhook-id` that the receiver gets.
             * @example msg_Xo3PPN1y1mhbq0NEYq7eG0TLM5qUKFKg
             */
            id: string;
            /**
             * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
             * @example payment_123
             */
            roomId: string;
            /**
             * @example payment.succeeded
             * @enum {string}
             */
            type: "payment.progressed" | "payment.succeeded" | "payment.failed" | "payment.processing" | "payment.cancelled" | "payment.expired" | "payment.refunded" | "payment.disputed" | "payment.stalled" | "room.closed";
            /**
             * @description `pending`: waits for its first or next try, or for an earlier delivery of its room. `failed`: given up after the last try. `disabled`: not sent, since the receiver has answered 410.
             * @example pending
             * @enum {string}
             */
            status: "pending" | "delivered" | "failed" | "disabled";
            /**
             * @description Number of tries.
             * @example 2
             */
            attempts: number;
            /**
             * @description HTTP status of the last answer.
             * @example 503
             */
            lastStatus?: number;
            /**
             * @description Reason for which the last try failed.
             * @example status
             * @enum {string}
             */
            lastError?: "status" | "redirect" | "timeout" | "dns" | "private_address" | "tls" | "connection" | "no_url";
            /** @description Time of the next try of a pending delivery that is the first of its room; otherwise null. */
            nextTryAt: number | null;
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        WebhookDeliveries: {
            deliveries: components["schemas"]["WebhookDelivery"][];
        };
        WebhookDeliveriesResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["WebhookDeliveries"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        WebhookDeliveryResponse: {
            /** @enum {boolean} */
            success: true;
            data: components["schemas"]["WebhookDelivery"];
            /**
             * @description Milliseconds since the Unix epoch.
             * @example 1705312200000
             */
            timestamp: number;
        };
        /** @description A change of a room, with the state of the payment after it. */
        Notification: {
            /**
             * @example payment.succeeded
             * @enum {string}
             */
            type: "room.created" | "payment.progressed" | "payment.succeeded" | "payment.failed" | "payment.processing" | "payment.cancelled" | "payment.expired" | "payment.refunded" | "payment.disputed" | "payment.stalled" | "room.closed";
            /**
             * @description Time of the change, ISO 8601.
             * @example 2026-11-24T08:46:53.040Z
             */
            timestamp: string;
            data: {
                /**
                 * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
                /**
                 * @description Name of the payment in the shop.
                 * @example order 1234
                 */
                reference?: string;
                /**
                 * @description ID of the log of the room; `seq` is counted within one epoch, and a new log has a new epoch.
                 * @example aex8oNlQGo8f
                 */
                epoch: string;
                /**
                 * @description Sequence number of the last event in the log.
                 * @example 7
                 */
                seq: number;
                state: components["schemas"]["PaymentState"];
            };
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The process is alive. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    getMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The metrics. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    getReadiness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The node accepts traffic. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The node does not accept traffic; `checks` shows the cause. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
        };
    };
    getServerInfo: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The server information. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServerInfo"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    listChanges: {
        parameters: {
            query?: {
                /**
                 * @description Returns the changes after this position; if omitted, only the current position.
                 * @example 1795504813040-7
                 */
                after?: string;
            };
            header?: {
                /**
                 * @description For a stream: position of the last received message. Overrides `after`.
                 * @example 1795504813040-7
                 */
                "last-event-id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The changes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChangeListResponse"];
                    "text/event-stream": string;
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    getFunnel: {
        parameters: {
            query?: {
                /**
                 * @description The last hour, day or week.
                 * @example day
                 */
                window?: "hour" | "day" | "week";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The funnel. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FunnelReportResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    listNodes: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The nodes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServerNodeListResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    broadcastToRoom: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes the request idempotent: the same key with the same body returns the first result, with another body 409. A text of your choice, such as `order-1234-paid`. */
                "idempotency-key"?: string;
            };
            path: {
                /**
                 * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BroadcastRequest"];
            };
        };
        responses: {
            /** @description The message is in the log and is being sent to all members. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BroadcastResultResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room does not exist. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request conflicts with the state of the room. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The URL is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The content type is not `application/json`. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    listRooms: {
        parameters: {
            query?: {
                /**
                 * @description Only payments with one of these statuses, separated by commas.
                 * @example pending,processing
                 */
                status?: string;
                /**
                 * @description Only payments whose last progress event is this one.
                 * @example CLICKED_PAY
                 */
                step?: "ENTERED_SUMMARY" | "CLICKED_PROCEED" | "PAYMENT_METHOD_CHANGED" | "DATA_FILLED" | "CLICKED_PAY";
                /**
                 * @description Only payments whose payer has paused, or only those whose payer has not.
                 * @example true
                 */
                stalled?: boolean;
                /**
                 * @description Only rooms whose id or reference contains this text, in any case.
                 * @example order 12
                 */
                text?: string;
                /**
                 * @description The rooms that come first, by the time of their creation.
                 * @example newest
                 */
                sort?: "oldest" | "newest";
                /**
                 * @description Cursor from the previous page, with the same `sort` and filters.
                 * @example 1
                 */
                cursor?: string;
                /**
                 * @description Maximum number of rooms.
                 * @example 100
                 */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of rooms. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomListResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    createRoom: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CreateRoomRequest"];
            };
        };
        responses: {
            /** @description The room was created. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedRoomResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request conflicts with the state of the room. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The content type is not `application/json`. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    listRoomEvents: {
        parameters: {
            query?: {
                /**
                 * @description Returns events after this `seq`.
                 * @example 1
                 */
                since?: number;
                /**
                 * @description The epoch of `since`; required unless `since` is 0.
                 * @example yhKhDhBWRLJq
                 */
                epoch?: string;
                /**
                 * @description Maximum number of events; ignored by streams.
                 * @example 100
                 */
                limit?: number;
                /**
                 * @description Device id, chosen by the device: 1–128 characters, no control characters.
                 * @example device_1
                 */
                deviceId?: string;
                /** @description device1 created the payment link and watches; device2 opened the link and pays. */
                role?: "device1" | "device2";
                /** @description For a stream: requests the members of the room, and `DEVICE_JOINED` and `DEVICE_LEFT`. */
                presence?: boolean;
                /** @description For a stream of device 1: requests `PAYMENT_STALLED`. */
                stalls?: boolean;
            };
            header?: {
                /**
                 * @description For a stream: `epoch:seq` of the last received event.
                 * @example yhKhDhBWRLJq:2
                 */
                "last-event-id"?: string;
            };
            path: {
                /**
                 * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The events. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomEventsResponse"];
                    "text/event-stream": string;
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room does not exist. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request conflicts with the state of the room. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The URL is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    publishRoomEvent: {
        parameters: {
            query?: never;
            header?: {
                /** @description Makes the request idempotent: the same key with the same body returns the first result, with another body 409. A text of your choice, such as `order-1234-paid`. */
                "idempotency-key"?: string;
            };
            path: {
                /**
                 * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PublishRequest"];
            };
        };
        responses: {
            /** @description The event is in the log. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PublishResultResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room does not exist. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request conflicts with the state of the room. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The URL is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The content type is not `application/json`. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    getRoom: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The room. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomDetailsResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room does not exist. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The URL is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    closeRoom: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The room was closed. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room does not exist. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The URL is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The content type is not `application/json`. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    updateRoom: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UpdateRoomRequest"];
            };
        };
        responses: {
            /** @description The room, changed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomDetailsResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room does not exist. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The URL is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The content type is not `application/json`. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    getRoomState: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The state. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomStateResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room does not exist. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The URL is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    createRoomToken: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreateTokenRequest"];
            };
        };
        responses: {
            /** @description The token. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomTokenResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room does not exist. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The URL is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The content type is not `application/json`. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    publishRoomEvents: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Room id, 1–128 characters of `A-Z a-z 0-9 . _ : ~ -`.
                 * @example payment_123
                 */
                roomId: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PublishBatchRequest"];
            };
        };
        responses: {
            /** @description At least one event is in the log. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PublishBatchResultResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room does not exist. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request conflicts with the state of the room. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room is closed. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The URL is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The content type is not `application/json`. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    getServerStatus: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The status. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServerStatusResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    listWebhookDeliveries: {
        parameters: {
            query?: {
                /**
                 * @description Maximum number of deliveries.
                 * @example 100
                 */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The webhooks. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookDeliveriesResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    retryWebhookDelivery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description ID of a delivery: the `webhook-id` that the receiver gets.
                 * @example msg_Xo3PPN1y1mhbq0NEYq7eG0TLM5qUKFKg
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The webhook is sent again. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookDeliveryResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room does not exist. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The URL is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The content type is not `application/json`. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    listRefusedDeliveries: {
        parameters: {
            query?: {
                /**
                 * @description Maximum number of deliveries.
                 * @example 100
                 */
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The refused results. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RefusedDeliveriesResponse"];
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The credentials do not allow this operation. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    receiveWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @example stripe */
                provider: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The results are in the log, or concern no payment. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description The request is invalid; `details` lists the violated rules. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The API key or room token is missing or invalid. */
            401: {
                headers: {
                    /** @description The required authentication scheme. */
                    "WWW-Authenticate"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The room does not exist. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The request body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The URL is too long. */
            414: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The content type is not `application/json`. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description A result breaks a rule of the server. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description Too many requests; `Retry-After` has the seconds to wait. */
            429: {
                headers: {
                    /** @description Seconds to wait before the next request. */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description An internal error occurred. */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
            /** @description The server is temporarily unavailable; retry an event with the same `id` or `Idempotency-Key`. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorResponse"];
                };
            };
        };
    };
    notifyBackend: {
        parameters: {
            query?: never;
            header: {
                /**
                 * @description ID of the webhook, the same for each try.
                 * @example msg_Xo3PPN1y1mhbq0NEYq7eG0TLM5qUKFKg
                 */
                "webhook-id": string;
                /**
                 * @description Time of this try, seconds since the Unix epoch.
                 * @example 1795510013
                 */
                "webhook-timestamp": string;
                /**
                 * @description Signatures of id, time and body, one for each secret, with spaces between them.
                 * @example v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=
                 */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Notification"];
            };
        };
        responses: {
            /** @description No webhook is wanted any more. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description The webhook was received. Every other answer, and none within 15 seconds, is a failure, after which it is sent again. */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
}
