package main

import (
	"fmt"
	"strings"
	"net/http"
	"io"
)

func main() {

	url := "https://api.example.com/v2/chat/outbound"

	payload := strings.NewReader("{\n  \"agent_id\": \"2a886b7d-d52d-4f8b-8ea0-19d3edc79214\",\n  \"channel\": \"whatsapp\",\n  \"to_number\": \"+15559876543\",\n  \"from_number\": \"+15551234567\",\n  \"initial_message\": \"Hi! How can I help you today?\"\n}")

	req, _ := http.NewRequest("POST", url, payload)

	req.Header.Add("Authorization", "Bearer <token>")
	req.Header.Add("Content-Type", "application/json")

	res, _ := http.DefaultClient.Do(req)

	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)

	fmt.Println(res)
	fmt.Println(string(body))

}
